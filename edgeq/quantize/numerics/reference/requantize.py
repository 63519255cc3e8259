"""From int32 sums to numbers of the output's grid: the end of every integer kernel, and their sums' zero points.

onnxruntime's rule (MLAS `MlasRequantizeOutput`): the sum goes to float32, is multiplied with one float32 factor,
clipped, rounded half to even, and moved by the zero point. Its factor is (x_scale * w_scale) / y_scale, in float32
and in this order. LiteRT's fixed-point multiplier (Jacob et al. 2018, section 2.2) can differ by one.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.quantize.numerics.params import Floats, Ints, Params

Array = npt.NDArray[Any]


def factor(x: Params, w: Params, y: Params) -> Floats:
    """One for each of w's scales. x and y have a single scale each."""
    return np.asarray(x.scale * w.scale / y.scale, np.float32)


def requantize(sums: Ints, factors: Floats, y: Params) -> Array:
    """Numbers of y's grid, of the sums' shape. `factors` broadcasts against `sums`; y has a single scale."""
    grid, zero = y.grid, int(y.zero_point)
    steps = np.clip(sums.astype(np.float32) * factors, grid.q_min - zero, grid.q_max - zero)
    return np.asarray((np.rint(steps).astype(np.int32) + zero).astype(grid.dtype))


def exact_products(a: Array, b: Array) -> npt.NDArray[np.int64]:
    """a @ b of integers of at most 16 bits. By float64, which BLAS is fast at and which is exact below 2^53."""
    return np.asarray(np.matmul(a.astype(np.float64), b.astype(np.float64)).astype(np.int64))


def without_zero_points(products: Array, a: Array, a_zero: Array, b: Array, b_zero: Array) -> Ints:
    """sum_k (a - a_zero)(b - b_zero) from sum_k a b, in int32 that wraps as a register does.

    a: [.., M, K], b: [.., K, N], a_zero a scalar, b_zero a scalar or one for each column, [N] or [.., 1, N].
    Jacob et al. 2018, equation 7: ab - a_zero sum_k b - b_zero sum_k a + K a_zero b_zero.
    """
    a_zero, b_zero = np.asarray(a_zero, np.int64), np.asarray(b_zero, np.int64)
    rows = a.sum(axis=-1, keepdims=True, dtype=np.int64)
    columns = b.sum(axis=-2, keepdims=True, dtype=np.int64)
    sums = products - a_zero * columns - b_zero * rows + a.shape[-1] * a_zero * b_zero
    return np.asarray(sums, np.int64).astype(np.int32)
