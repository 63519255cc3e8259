"""Integer sums on x86 without VNNI, where pairs of 8-bit products saturate at 16 bits before they are summed in 32.

onnxruntime's kernels for unsigned activations and signed weights multiply with vpmaddubsw on AVX2 and on AVX-512
without VNNI (MLAS `QgemmU8X8KernelAvx2.S`, `QgemmU8X8KernelAvx512Core.S`, `ConvSymKernelAvx2.S`): for even k,
a[k] b[k] + a[k+1] b[k+1] is held to -32768..32767, silently; 2 * 255 * 127 is 64770. What is assumed of them, read in
their source and, for AVX2, compared with their results by the tests:

    K is packed in fours from its start, so pairs are (0, 1), (2, 3), ..; an odd K is filled up with zero
    of a convolution K is kernel position major, input channel minor, in each group (`reference.py`)
    the products are of the raw numbers; zero points are corrected exactly, afterwards, from sums of a and of b
    U8U8 widens to 16 bits first, S8S8 has plain C++: both are exact; and so is depthwise, group = channels in = out
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.quantize.numerics.grid import Grid, Ints, Params
from edgeq.quantize.numerics.reference import (
    PLAIN,
    Window,
    check_granularity,
    exact_products,
    factor,
    finish,
    lower,
    requantize,
    without_zero_points,
)

Array = npt.NDArray[Any]
Counts = npt.NDArray[np.int64]

_LOWEST, _HIGHEST = -(1 << 15), (1 << 15) - 1
_AT_ONCE = 1 << 22  # sums of pairs held in memory at a time


@dataclass(frozen=True, eq=False)
class Saturated:
    """A kernel's result `y`, and how many pairs saturated for each output channel: int64 [N], of `pairs` each."""

    y: Array
    saturated: Counts
    pairs: int

    @property
    def share(self) -> float:
        """Saturated pairs among all, 0 to 1."""
        return float(self.saturated.sum()) / max(self.pairs * self.saturated.size, 1)


def saturating_matmul(a: Array, a_params: Params, b: Array, b_params: Params, y_params: Params) -> Saturated:
    """`qlinear_matmul` as such a CPU computes it. Raises as it does."""
    check_granularity(a_params, b_params, y_params, rank=b.ndim, column_axis=b.ndim - 1)
    products, saturated = pair_products(a, b, a_params.grid, b_params.grid)
    sums = without_zero_points(products, a, a_params.zero_point, b, b_params.zero_point)
    y = requantize(sums, factor(a_params, b_params, y_params), y_params)
    return Saturated(y, saturated.reshape(-1, b.shape[-1]).sum(axis=0), _pairs(sums, a))


def saturating_conv(
    x: Array,
    x_params: Params,
    w: Array,
    w_params: Params,
    y_params: Params,
    bias: Ints | None = None,
    window: Window = PLAIN,
) -> Saturated:
    """`qlinear_conv` as such a CPU computes it. Raises as it does."""
    lowered = lower(x, x_params, w, w_params, y_params, window)
    depthwise = w.shape[1] == 1 and w.shape[0] == window.group
    if depthwise:
        products, saturated = exact_products(lowered.a, lowered.b), np.zeros(len(w), np.int64)
    else:
        products, saturated = pair_products(lowered.a, lowered.b, x_params.grid, w_params.grid)
    y = finish(products, lowered, x_params, w_params, y_params, bias)
    return Saturated(y, saturated.reshape(-1), lowered.a.shape[1] * _half(lowered.a.shape[2]))


def pair_products(a: Array, b: Array, a_grid: Grid, b_grid: Grid) -> tuple[Counts, Counts]:
    """a @ b with pairs that saturate, [.., M, N], and how many did in each column, [.., N]."""
    products = exact_products(a, b)
    stack = products.shape[:-2]
    saturated = np.zeros((*stack, b.shape[-1]), np.int64)
    if (a_grid.dtype.name, b_grid.dtype.name) == ("uint8", "int8"):
        many_a, many_b = np.broadcast_to(a, stack + a.shape[-2:]), np.broadcast_to(b, stack + b.shape[-2:])
        for one in np.ndindex(stack):
            saturated[one] = _saturate(products[one], _even(many_a[one], axis=1), _even(many_b[one], axis=0))
    return products, saturated


def _saturate(products: Counts, a: Array, b: Array) -> Counts:
    """Takes from `products` [M, N] what saturation cuts off, in place; how many pairs of a column it cut, [N].

    Only pairs of weights that could overflow with the largest activations of this batch are looked at: few, mostly.
    """
    column, pair = _candidates(a, b)
    saturated = np.zeros(b.shape[1], np.int64)
    if not len(column):
        return saturated
    columns, starts = np.unique(column, return_index=True)
    first, second = b[2 * pair, column].astype(np.int32), b[2 * pair + 1, column].astype(np.int32)
    for rows in _slices(len(a), len(column)):
        sums = a[rows, 2 * pair].astype(np.int32) * first + a[rows, 2 * pair + 1].astype(np.int32) * second
        excess = sums - np.clip(sums, _LOWEST, _HIGHEST)
        products[rows, columns] -= np.add.reduceat(excess, starts, axis=1, dtype=np.int64)
        saturated[columns] += np.add.reduceat(np.count_nonzero(excess, axis=0), starts)
    return saturated


def _candidates(a: Array, b: Array) -> tuple[Array, Array]:
    """(column, pair) of the pairs of weights that overflow with each input at its largest, ordered by column."""
    largest = a.max(axis=0, initial=0).astype(np.int32)[:, None]
    up, down = largest * np.maximum(b, 0, dtype=np.int32), largest * np.minimum(b, 0, dtype=np.int32)
    could = (up[0::2] + up[1::2] > _HIGHEST) | (down[0::2] + down[1::2] < _LOWEST)
    column, pair = np.nonzero(could.T)
    return column, pair


def _even(matrix: Array, axis: int) -> Array:
    """Filled up with zero to an even size along `axis`."""
    odd = matrix.shape[axis] % 2
    return np.pad(matrix, [(0, odd if i == axis else 0) for i in range(2)])


def _slices(rows: int, width: int) -> list[slice]:
    step = max(_AT_ONCE // width, 1)
    return [slice(start, start + step) for start in range(0, rows, step)]


def _pairs(sums: Ints, a: Array) -> int:
    return int(np.prod(sums.shape[:-1])) * _half(a.shape[-1])


def _half(size: int) -> int:
    return (size + 1) // 2
