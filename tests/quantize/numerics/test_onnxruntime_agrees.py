"""Quantized and dequantized here and by onnxruntime: the same bits, in every width, granularity and corner."""

import numpy as np
import pytest

from edgeq.quantize import numerics
from edgeq.quantize.numerics import INT4, INT8, INT16, PER_TENSOR, UINT4, UINT8, UINT16, Granularity, Grid
from tests.quantize.numerics import onnx_nodes

GRIDS = (UINT8, INT8, UINT16, INT16, INT4, UINT4)
GRANULARITIES = (
    PER_TENSOR,
    Granularity(axis=0),
    Granularity(axis=-1),
    Granularity(axis=1, block_size=4),
    Granularity(axis=2, block_size=3),  # 7 = 3 + 3 + 1: the last block is short
)


def name(case: object) -> str:
    if isinstance(case, Grid):
        return f"{'' if case.signed else 'u'}int{case.bits}"
    return f"axis{case.axis}x{case.block_size}" if isinstance(case, Granularity) else str(case)


@pytest.mark.parametrize("granularity", GRANULARITIES, ids=name)
@pytest.mark.parametrize("grid", GRIDS, ids=name)
@pytest.mark.parametrize("scheme", [numerics.affine, numerics.symmetric])
def test_same_bits(scheme, grid: Grid, granularity: Granularity) -> None:
    x = np.random.default_rng(0).normal(size=(5, 8, 7)).astype(np.float32) * np.float32(3)
    low, high = granularity.extremes(x)
    params = scheme(0.7 * low, 0.7 * high, grid, granularity)  # so that some values clip
    q = numerics.quantize(x, params)
    assert q.dtype == grid.dtype
    np.testing.assert_array_equal(q, onnx_nodes.quantize_linear(x, params))
    np.testing.assert_array_equal(numerics.dequantize(q, params), onnx_nodes.dequantize_linear(q, params))


@pytest.mark.parametrize("grid", GRIDS, ids=name)
def test_same_bits_at_halves_and_at_the_ends(grid: Grid) -> None:
    params = numerics.affine(-1.0, 2.0, grid)
    halves = (np.arange(-40, 40) / 2 * params.scale).astype(np.float32)
    around = np.concatenate([np.nextafter(halves, np.float32(way)) for way in (-9, 9)])
    ends = np.array([np.inf, -np.inf, np.nan, 3e38, -3e38, 1e-45, -0.0], np.float32)
    x = np.concatenate([halves, around, ends, ends[::-1]])
    np.testing.assert_array_equal(numerics.quantize(x, params), onnx_nodes.quantize_linear(x, params))


@pytest.mark.parametrize("grid", GRIDS, ids=name)
def test_same_values_from_every_number(grid: Grid) -> None:
    params = numerics.affine(-0.3, 1.7, grid)
    q = np.arange(grid.q_min, grid.q_max + 1)
    np.testing.assert_array_equal(numerics.dequantize(q, params), onnx_nodes.dequantize_linear(q, params))


@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (1,)])
def test_scalars_and_empty_tensors(shape: tuple[int, ...]) -> None:
    x = np.full(shape, 0.4, np.float32)
    params = numerics.affine(*PER_TENSOR.extremes(x), UINT8)
    np.testing.assert_array_equal(numerics.quantize(x, params), onnx_nodes.quantize_linear(x, params))
