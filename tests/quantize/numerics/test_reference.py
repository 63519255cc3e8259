"""QLinearMatMul and QLinearConv here and in onnxruntime: the same bits over many shapes, whatever this CPU sums in; and the
error of a tensor by cause.
"""

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from edgeq.errors import DataRefused, ModelRefused
from edgeq.quantize import numerics
from edgeq.quantize.numerics import INT8, PER_TENSOR, UINT8, Granularity, Grid, QuantParams
from tests.quantize.numerics import onnx_nodes, reference
from tests.quantize.numerics.reference import Window

SIGNS = {"u8u8": (UINT8, UINT8), "u8s8": (UINT8, INT8), "s8s8": (INT8, INT8)}
signs = pytest.mark.parametrize("signs", SIGNS)


def numbers(shape: tuple[int, ...], grid: Grid, seed: int) -> np.ndarray:
    """Any number of the grid, both ends more often: that is where sums saturate."""
    rng = np.random.default_rng(seed)
    drawn = rng.integers(grid.q_min, grid.q_max + 1, shape)
    return np.where(rng.random(shape) < 0.1, grid.q_max, drawn).astype(grid.dtype)


def activation(grid: Grid, scale: float, zero: int) -> QuantParams:
    return QuantParams(np.float32(scale), np.int32(grid.q_min + zero), grid)


def weights(grid: Grid, channels: int, axis: int | None, zero: int, seed: int) -> QuantParams:
    shape = () if axis is None else (channels,)
    scale = np.random.default_rng(seed).uniform(0.001, 0.02, shape).astype(np.float32)
    granularity = PER_TENSOR if axis is None else Granularity(axis)
    return QuantParams(scale, np.full(shape, zero, np.int32), grid, granularity)


@cache
def saturates() -> bool:
    return onnx_nodes.saturates()


MATRICES = (
    ((1, 1), (1, 1)),
    ((1, 4), (4, 3)),
    ((1, 64), (64, 32)),
    ((3, 5), (5, 7)),
    ((7, 33), (33, 17)),
    ((16, 400), (400, 24)),  # more than one slice of K
    ((5, 1023), (1023, 1)),
    ((2, 3, 9), (9, 16)),
    ((2, 3, 9), (2, 9, 5)),
)


# onnxruntime has no scales for each column of a stack of weights in one dimension.
PRODUCTS = [(*m, channels) for m in MATRICES for channels in (False, True) if not channels or len(m[1]) == 2]


@signs
@pytest.mark.parametrize(("left", "right", "per_channel"), PRODUCTS, ids=str)
def test_matmul(left: tuple[int, ...], right: tuple[int, ...], signs: str, per_channel: bool) -> None:
    x_grid, w_grid = SIGNS[signs]
    a, b = numbers(left, x_grid, 1), numbers(right, w_grid, 2)
    ap = activation(x_grid, 0.02, 100)
    bp = weights(w_grid, right[-1], len(right) - 1 if per_channel else None, w_grid.centre + 3, seed=3)
    yp = activation(x_grid, 0.05 * np.sqrt(left[-1]), 120)
    ours = reference.saturating_matmul if saturates() else reference.qlinear_matmul
    y = ours(a, ap, b, bp, yp)
    expected = onnx_nodes.qlinear_matmul(a, ap, b, bp, yp)
    np.testing.assert_array_equal(getattr(y, "y", y), expected)
    assert len(np.unique(expected)) > min(expected.size, 20) / 2  # not all of it clipped


def test_matmul_with_a_zero_point_for_each_column() -> None:
    a, b = numbers((6, 30), UINT8, 1), numbers((30, 8), UINT8, 2)
    scale = np.linspace(0.001, 0.02, 8, dtype=np.float32)
    bp = QuantParams(scale, np.arange(100, 180, 10, dtype=np.int32), UINT8, Granularity(1))
    ap, yp = activation(UINT8, 0.02, 100), activation(UINT8, 0.4, 120)
    y = reference.qlinear_matmul(a, ap, b, bp, yp)
    np.testing.assert_array_equal(y, onnx_nodes.qlinear_matmul(a, ap, b, bp, yp))


CONVOLUTIONS = {
    "pointwise": ((2, 8, 5, 6), (16, 8, 1, 1), Window()),
    "3x3": ((1, 3, 9, 8), (5, 3, 3, 3), Window(pads=(1, 1, 1, 1))),
    "3x3 wide": ((2, 16, 7, 7), (32, 16, 3, 3), Window(pads=(1, 1, 1, 1))),
    "3x3 odd channels": ((1, 7, 6, 6), (24, 7, 3, 3), Window(pads=(1, 1, 1, 1))),
    "strided": ((1, 4, 11, 12), (16, 4, 3, 3), Window(strides=(2, 3))),
    "uneven pads": ((1, 4, 6, 7), (6, 4, 2, 3), Window(strides=(2, 1), pads=(0, 1, 2, 3))),
    "dilated": ((1, 4, 12, 12), (16, 4, 3, 3), Window(pads=(2, 2, 2, 2), dilations=(2, 2))),
    "grouped": ((2, 8, 6, 6), (12, 4, 3, 3), Window(pads=(1, 1, 1, 1), group=2)),
    "depthwise": ((1, 16, 8, 8), (16, 1, 3, 3), Window(pads=(1, 1, 1, 1), group=16)),
    "depthwise of few": ((1, 5, 8, 8), (5, 1, 5, 5), Window(strides=(2, 2), group=5)),
    "depthwise doubled": ((1, 4, 8, 8), (8, 1, 3, 3), Window(group=4)),
    "1d": ((2, 6, 20), (9, 6, 5), Window(strides=(2,), pads=(2, 1))),
    "3d": ((1, 3, 5, 6, 7), (4, 3, 2, 3, 3), Window(pads=(0, 1, 1, 1, 1, 1))),
    "whole input": ((3, 6, 4, 4), (10, 6, 4, 4), Window()),
}


@signs
@pytest.mark.parametrize("case", CONVOLUTIONS)
@pytest.mark.parametrize("per_channel", [False, True], ids=["tensor", "channel"])
@pytest.mark.parametrize("biased", [False, True], ids=["plain", "biased"])
def test_conv(case: str, signs: str, per_channel: bool, biased: bool) -> None:
    in_shape, w_shape, window = CONVOLUTIONS[case]
    x_grid, w_grid = SIGNS[signs]
    x, w = numbers(in_shape, x_grid, 1), numbers(w_shape, w_grid, 2)
    channels, depth = w_shape[0], np.prod(w_shape[1:])
    bias = np.random.default_rng(4).integers(-20_000, 20_000, channels, dtype=np.int32) if biased else None
    xp = activation(x_grid, 0.02, 100)
    wp = weights(w_grid, channels, 0 if per_channel else None, w_grid.centre, seed=3)
    yp = activation(x_grid, 0.05 * np.sqrt(depth), 120)
    ours = reference.saturating_conv if saturates() else reference.qlinear_conv
    y = ours(x, xp, w, wp, yp, bias, window)
    np.testing.assert_array_equal(getattr(y, "y", y), onnx_nodes.qlinear_conv(x, xp, w, wp, yp, bias, window))


def test_sums_wrap_as_registers_do() -> None:
    x, w = numbers((1, 4, 3, 3), UINT8, 1), numbers((2, 4, 3, 3), INT8, 2)
    one = QuantParams(1.0, 0, UINT8)
    bias = np.array([2**31 - 1, -(2**31)], np.int32)
    y = reference.qlinear_conv(x, one, w, QuantParams(1.0, 0, INT8), QuantParams(1e7, 100, UINT8), bias)
    ours = onnx_nodes.qlinear_conv(
        x, one, w, QuantParams(1.0, 0, INT8), QuantParams(1e7, 100, UINT8), bias, Window()
    )
    np.testing.assert_array_equal(y, ours)


def test_what_no_kernel_takes_is_refused() -> None:
    a, b, one = np.zeros((2, 4), np.uint8), np.zeros((4, 3), np.int8), QuantParams(1.0, 0, UINT8)
    by_row = weights(INT8, 4, 0, 0, seed=0)
    with pytest.raises(ModelRefused, match="axis 0"):
        reference.qlinear_matmul(a, one, b, by_row, one)
    with pytest.raises(ModelRefused, match="one scale"):
        reference.qlinear_matmul(a, QuantParams(np.ones(2), np.zeros(2), UINT8, Granularity(0)), b, one, one)
    with pytest.raises(ModelRefused, match="5 channels"):
        reference.qlinear_conv(
            np.zeros((1, 5, 4, 4), np.uint8), one, np.zeros((2, 4, 3, 3), np.int8), one, one
        )
    with pytest.raises(ModelRefused, match="larger than its input"):
        reference.qlinear_conv(
            np.zeros((1, 4, 2, 2), np.uint8), one, np.zeros((2, 4, 3, 3), np.int8), one, one
        )


tensors = arrays.arrays(np.float32, (3, 5), elements=st.floats(-100, 100, width=32))
# A busy machine is no failure, and a failure must come again.
steady = settings(deadline=None, derandomize=True)
granularities = st.sampled_from([Granularity(), Granularity(0), Granularity(1, 2)])


@steady
@given(tensors, granularities, st.floats(0.05, 1.0))
def test_clipping_and_rounding_are_all_of_it(x: np.ndarray, granularity: Granularity, share: float) -> None:
    low, high = granularity.extremes(x)
    params = numerics.affine(low * share, high * share, INT8, granularity)
    noise = reference.error(x, params)
    lost = x.astype(np.float64) - numerics.round_trip(x, params)
    assert noise.clipping + noise.rounding == noise.mse
    assert noise.mse == pytest.approx(np.mean(lost**2))
    assert noise.largest == np.max(np.abs(lost))


def test_a_range_too_small_clips_and_one_too_large_rounds() -> None:
    x = np.random.default_rng(0).normal(size=10_000)
    small, large = numerics.affine(-0.5, 0.5, INT8), numerics.affine(-50.0, 50.0, INT8)
    assert reference.error(x, small).clipping > 1000 * reference.error(x, small).rounding
    assert reference.error(x, large).clipping == 0.0


def test_rounding_of_a_uniform_signal_is_its_step_squared_by_twelve() -> None:
    """Widrow: an error uniform over one step has variance S^2 / 12, and each bit is worth 6.02 dB."""
    x = np.linspace(-1, 1, 200_001)
    noises = [
        reference.error(x, numerics.affine(-1, 1, numerics.Grid(bits, signed=False))) for bits in (6, 10)
    ]
    assert noises[0].rounding == pytest.approx((2 / 63) ** 2 / 12, rel=0.05)
    assert noises[1].sqnr_db - noises[0].sqnr_db == pytest.approx(4 * 6.02, abs=0.2)


def test_nothing_lost() -> None:
    assert reference.error([0.0, 1.0, 255.0], numerics.affine(0, 255, UINT8)).sqnr_db is None
    assert reference.error(np.zeros((0, 3)), numerics.affine(0, 1, UINT8)).mse == 0.0


def test_what_is_not_finite_is_refused() -> None:
    with pytest.raises(DataRefused, match="inf or nan"):
        reference.error([1.0, np.nan], numerics.affine(0, 1, UINT8))
