"""Pairs that saturate: the model against its definition, and against onnxruntime on an emulated AVX2 machine."""

import platform
import shutil
import subprocess
import sys

import numpy as np
import pytest

from edgeq.quantize.numerics import INT8, UINT8, Granularity, QuantParams
from tests.conftest import ROOT, missing
from tests.quantize.numerics import reference
from tests.quantize.numerics.reference import Window, exact_products, pair_products

ONE, SIGNED_ONE = QuantParams(1.0, 0, UINT8), QuantParams(1.0, 0, INT8)


def drawn(shape: tuple[int, ...], dtype: type, seed: int = 0) -> np.ndarray:
    info = np.iinfo(dtype)
    return np.random.default_rng(seed).integers(info.min, info.max + 1, shape, dtype=dtype)


@pytest.mark.parametrize("depth", [1, 2, 5, 64, 301])
def test_pairs_are_held_to_16_bits(depth: int) -> None:
    a, b = drawn((9, depth), np.uint8), drawn((depth, 6), np.int8)
    one_by_one = a[:, :, None].astype(int) * b[None].astype(int)
    pairs = np.add.reduceat(one_by_one, np.arange(0, depth, 2), axis=1)
    held = np.clip(pairs, -(2**15), 2**15 - 1)
    products, saturated = pair_products(a, b, UINT8, INT8)
    np.testing.assert_array_equal(products, held.sum(axis=1))
    np.testing.assert_array_equal(saturated, (held != pairs).sum(axis=(0, 1)))


def test_the_count_is_by_output_channel() -> None:
    a = np.full((3, 4), 255, np.uint8)
    b = np.array([[127, 1, -128], [127, 1, -128], [127, 1, 0], [127, 1, 0]], np.int8)
    result = reference.saturating_matmul(a, ONE, b, SIGNED_ONE, QuantParams(1000.0, 128, UINT8))
    assert result.saturated.tolist() == [6, 0, 3]
    assert result.pairs == 6
    assert result.share == 0.5
    assert result.y[0].tolist() == [128 + 66, 128 + 1, 128 - 33]  # 130, 1 and -65 without


def test_weights_of_seven_bits_cannot_saturate() -> None:
    """What `reduce_range` buys: 2 x 255 x 64 is 32640."""
    a, b = np.full((2, 8), 255, np.uint8), np.tile([[-64, 64]], (8, 1)).astype(np.int8)
    assert pair_products(a, b, UINT8, INT8)[1].sum() == 0


@pytest.mark.parametrize("grids", [(UINT8, UINT8), (INT8, INT8)], ids=["u8u8", "s8s8"])
def test_other_signs_are_exact(grids: tuple) -> None:
    a, b = (
        np.full(shape, grid.q_max).astype(grid.dtype)
        for grid, shape in zip(grids, ((2, 8), (8, 3)), strict=True)
    )
    products, saturated = pair_products(a, b, *grids)
    np.testing.assert_array_equal(products, exact_products(a, b))
    assert saturated.sum() == 0


def test_depthwise_is_exact_and_grouped_is_not() -> None:
    x = np.full((1, 4, 5, 5), 255, np.uint8)
    one_each, two_each = (np.full((4, depth, 3, 3), 127, np.int8) for depth in (1, 2))
    y = QuantParams(20_000.0, 0, UINT8)
    depthwise = reference.saturating_conv(x, ONE, one_each, SIGNED_ONE, y, window=Window(group=4))
    grouped = reference.saturating_conv(x, ONE, two_each, SIGNED_ONE, y, window=Window(group=2))
    assert depthwise.saturated.tolist() == [0, 0, 0, 0]
    assert grouped.saturated.tolist() == [81] * 4  # 9 positions x 9 pairs
    assert grouped.share == 1.0


def test_where_nothing_saturates_the_result_is_the_exact_one() -> None:
    x, w = drawn((2, 6, 7, 7), np.uint8) // 2, drawn((8, 6, 3, 3), np.int8) // 2
    w_params = QuantParams(np.linspace(0.01, 0.1, 8), np.zeros(8), INT8, Granularity(0))
    case = (
        x,
        QuantParams(0.1, 60, UINT8),
        w,
        w_params,
        QuantParams(5.0, 128, UINT8),
        drawn((8,), np.int16).astype(np.int32),
    )
    result = reference.saturating_conv(*case)
    np.testing.assert_array_equal(result.y, reference.qlinear_conv(*case))
    assert result.saturated.sum() == 0


@pytest.mark.slow
@pytest.mark.lab
def test_onnxruntime_on_an_emulated_haswell_gives_the_same_bits() -> None:
    """Runs the bit-exact tests there: they ask the CPU how it sums, and hold it against the model that saturates."""
    emulator = shutil.which("qemu-x86_64-static") or shutil.which("qemu-x86_64")
    if emulator is None or platform.machine() != "x86_64":
        missing(
            "an AVX2 machine without VNNI is emulated with qemu-x86_64 on x86-64 (apt install qemu-user-static)"
        )
    python = [emulator, "-cpu", "Haswell", sys.executable]
    asked = (
        "from tests.quantize.numerics import onnx_nodes; raise SystemExit(0 if onnx_nodes.saturates() else 9)"
    )
    subprocess.run([*python, "-c", asked], cwd=ROOT, check=True, timeout=120)
    tests = "tests/quantize/numerics/test_reference.py"
    options = ["-q", "-p", "no:cacheprovider", "-k", "u8s8"]
    done = subprocess.run(
        [*python, "-m", "pytest", *options, tests], cwd=ROOT, text=True, capture_output=True, timeout=280
    )
    assert done.returncode == 0, done.stdout
