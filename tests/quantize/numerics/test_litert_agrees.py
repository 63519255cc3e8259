"""Quantized and dequantized here and by LiteRT: the same bits, once its rounding is named."""

import numpy as np
import pytest

from edgeq.quantize import numerics
from edgeq.quantize.numerics import INT4, INT8, INT16, NARROW_INT8, UINT8, Granularity, Grid
from tests.quantize.numerics import reference, tflite_nodes
from tests.quantize.numerics.tflite_nodes import REFERENCE, XNNPACK

PER_CHANNEL = Granularity(axis=0)


def values(scale: float) -> np.ndarray:
    """Halves of steps, where roundings differ, and values beyond every grid's ends."""
    halves = np.arange(-600, 600) / 2 * np.float32(scale)
    return np.concatenate([halves, np.random.default_rng(0).normal(size=20_000)]).astype(np.float32)


@pytest.mark.parametrize("grid", [INT8, UINT8, INT16], ids=str)
@pytest.mark.parametrize("high", [1.0, 0.37, 63.75])  # 63.75 / 255 is a power of two: exact halves
@pytest.mark.parametrize(
    ("kernels", "rounding"),
    [(XNNPACK, reference.half_even_by_reciprocal), (REFERENCE, reference.half_away)],
    ids=["xnnpack", "reference"],
)
def test_same_bits(kernels, rounding, high: float, grid: Grid) -> None:
    scheme = numerics.symmetric if grid == INT16 else numerics.affine  # LiteRT's int16 has no zero point
    params = scheme(-high / 2, high / 2, grid)
    x = values(float(params.scale))
    q = reference.quantize(x, params, rounding)
    np.testing.assert_array_equal(q, tflite_nodes.quantized(x, params, kernels))
    np.testing.assert_array_equal(
        numerics.dequantize(q, params), tflite_nodes.dequantized(q, params, kernels)
    )


@pytest.mark.parametrize("kernels", [XNNPACK, REFERENCE], ids=["xnnpack", "reference"])
def test_same_bits_per_channel(kernels) -> None:
    x = values(1.0)[:20_000].reshape(4, -1) * np.array([[0.1], [1], [7], [100]], np.float32)
    params = numerics.symmetric(*PER_CHANNEL.extremes(x * np.float32(0.5)), NARROW_INT8, PER_CHANNEL)
    full = numerics.QuantParams(
        params.scale, params.zero_point, INT8, PER_CHANNEL
    )  # its QUANTIZE knows no narrow grid
    q = reference.quantize(x, full, reference.half_away)
    np.testing.assert_array_equal(q, tflite_nodes.quantized(x, full, kernels))
    np.testing.assert_array_equal(numerics.dequantize(q, full), tflite_nodes.dequantized(q, full, kernels))


def test_same_bits_in_four_bits() -> None:
    params = numerics.affine(-1.0, 2.0, INT4)
    x = values(float(params.scale))
    q = reference.quantize(x, params, reference.half_away)
    np.testing.assert_array_equal(q, tflite_nodes.quantized(x, params, XNNPACK))


def test_the_three_roundings_differ_at_halves() -> None:
    x, one = np.array([0.5, 1.5, -0.5, -2.5], np.float32), np.float32(1)
    np.testing.assert_array_equal(np.rint(x / one), [0, 2, -0.0, -2])
    np.testing.assert_array_equal(reference.half_away(x, one), [1, 2, -1, -3])
    just_under_half = np.float32(0.49999997)
    assert reference.half_away(just_under_half, one) == 0


def test_division_and_reciprocal_differ() -> None:
    scale = np.float32(0.037)
    x = np.arange(-600, 600, dtype=np.float32) / 2 * scale
    assert np.any(np.rint(x / scale) != reference.half_even_by_reciprocal(x, scale))
