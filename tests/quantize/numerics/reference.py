"""The integer kernels as the runtimes compute them, in numpy: what tests compare with; no conversion runs them.

    qlinear_matmul, qlinear_conv   QLinearMatMul and QLinearConv with sums in int32, bit for bit onnxruntime's
    requantize                     from int32 sums to numbers of the output's grid: the end of every integer kernel
    saturating_matmul, .._conv     the same on x86 without VNNI, where pairs of products saturate at 16 bits
    error                          what a tensor loses on a grid, split into clipping and rounding
    half_even_by_reciprocal        LiteRT's rounding through XNNPACK, 8 and 16 bits per tensor: it multiplies with 1 / scale
    half_away                      that of LiteRT's own kernels: per channel, 4 bits, and everything with its reference kernels

onnxruntime's requantization (MLAS `MlasRequantizeOutput`): the sum goes to float32, is multiplied by one float32 factor,
clipped, rounded half to even, and moved by the zero point. The factor is (x_scale * w_scale) / y_scale, in float32 and
in this order. LiteRT's fixed-point multiplier (Jacob et al. 2018, section 2.2) can differ by one.

A convolution is lowered to one matrix product for each group, with columns in onnxruntime's order: kernel position
major, input channel minor (its CPU kernel works on NHWC, whatever the model says; `qlinearconv.cc`, ReorderFilter and
Im2col<NHWC>). The order does not matter to exact sums; it does to sums that saturate in pairs.

onnxruntime's kernels for unsigned activations and signed weights multiply with vpmaddubsw on AVX2 and on AVX-512
without VNNI (MLAS `QgemmU8X8KernelAvx2.S`, `QgemmU8X8KernelAvx512Core.S`, `ConvSymKernelAvx2.S`): for even k,
a[k] b[k] + a[k+1] b[k+1] is held to -32768..32767, silently; 2 * 255 * 127 is 64770. What is assumed of them, read in
their source and, for AVX2, compared with their results by the tests:

    K is packed in fours from its start, so pairs are (0, 1), (2, 3), ..; an odd K is filled up with zero
    of a convolution K is kernel position major, input channel minor, in each group
    the products are of the raw numbers; zero points are corrected exactly, afterwards, from sums of a and of b
    U8U8 widens to 16 bits first, S8S8 has plain C++: both are exact; and so is depthwise, group = channels in = out
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.errors import DataRefused, ModelRefused
from edgeq.quantize.numerics import Floats, Grid, Ints, QuantParams, on_grid, round_trip

Array = npt.NDArray[Any]
Counts = npt.NDArray[np.int64]
Rounding = Callable[[Floats, Floats], Floats]

_LOWEST, _HIGHEST = -(1 << 15), (1 << 15) - 1
_AT_ONCE = 1 << 22  # sums of pairs held in memory at a time


@dataclass(frozen=True)
class Window:
    """ONNX's attributes of a convolution; empty ones mean steps of 1 and no padding. `pads`: all begins, then all ends."""

    strides: tuple[int, ...] = ()
    pads: tuple[int, ...] = ()
    dilations: tuple[int, ...] = ()
    group: int = 1


PLAIN = Window()


@dataclass(frozen=True, eq=False)
class Lowered:
    """A convolution as products of matrices: a [group, images * positions, K] times b [group, K, channels out / group]."""

    a: Array
    b: Array
    b_zero: Array
    out_shape: tuple[int, ...]  # [images, *positions], the rows of `a`

    def image(self, sums: Ints) -> Ints:
        """Sums [group, images * positions, channels / group] as [images, channels, *positions]."""
        group, _, each = sums.shape
        channels_last = np.moveaxis(sums.reshape(group, *self.out_shape, each), 0, -2)
        return np.moveaxis(channels_last.reshape(*self.out_shape, group * each), -1, 1)


def qlinear_conv(
    x: Array,
    x_params: QuantParams,
    w: Array,
    w_params: QuantParams,
    y_params: QuantParams,
    bias: Ints | None = None,
    window: Window = PLAIN,
) -> Array:
    """Numbers of y's grid, [N, M, *out], from x [N, C, *in] and w [M, C / group, *kernel], numbers of theirs.

    x and y have one scale, w one or one for each output channel. `bias` is int32 [M] in steps of x_scale * w_scale.
    Padding holds x's zero point. Accumulates in int32. https://onnx.ai/onnx/operators/onnx__QLinearConv.html. Raises
    ModelRefused for another granularity, and where the shapes do not fit.
    """
    lowered = lower(x, x_params, w, w_params, y_params, window)
    return finish(exact_products(lowered.a, lowered.b), lowered, x_params, w_params, y_params, bias)


def lower(
    x: Array, x_params: QuantParams, w: Array, w_params: QuantParams, y_params: QuantParams, window: Window
) -> Lowered:
    """Raises ModelRefused as `qlinear_conv`."""
    check_granularity(x_params, w_params, y_params, rank=w.ndim, column_axis=0)
    group, kernel = window.group, w.shape[2:]
    if x.shape[1] != w.shape[1] * group or w.shape[0] % group:
        raise ModelRefused(
            f"a convolution of {x.shape[1]} channels cannot have weights of shape {list(w.shape)} in {group} groups"
        )
    seen = _windows(x, int(x_params.zero_point), kernel, window)  # [N, C, *out, *kernel]
    out_shape = (len(x), *seen.shape[2 : 2 + len(kernel)])
    depth = math.prod(w.shape[1:])
    split = seen.reshape(len(x), group, w.shape[1], *seen.shape[2:])
    a = np.moveaxis(split, (1, 2), (0, -1)).reshape(group, math.prod(out_shape), depth)
    each = w.reshape(group, w.shape[0] // group, *w.shape[1:])
    b = np.moveaxis(each, (1, 2), (-1, -2)).reshape(group, depth, w.shape[0] // group)
    zero = np.broadcast_to(w_params.zero_point, w.shape[:1]).reshape(group, 1, -1)
    return Lowered(a, b, zero, out_shape)


def finish(
    products: Array,
    lowered: Lowered,
    x_params: QuantParams,
    w_params: QuantParams,
    y_params: QuantParams,
    bias: Ints | None,
) -> Array:
    """From sums of raw products to y: zero points, bias, requantization."""
    sums = without_zero_points(products, lowered.a, x_params.zero_point, lowered.b, lowered.b_zero)
    image = lowered.image(sums)
    each_channel = (-1,) + (1,) * (image.ndim - 2)
    if bias is not None:
        image = image + bias.astype(np.int32).reshape(each_channel)
    return requantize(image, factor(x_params, w_params, y_params).reshape(each_channel), y_params)


def _windows(x: Array, padding: int, kernel: tuple[int, ...], window: Window) -> Array:
    """What each output position sees, [N, C, *out, *kernel]: a view of the padded x."""
    rank = len(kernel)
    strides, dilations = window.strides or (1,) * rank, window.dilations or (1,) * rank
    pads = window.pads or (0,) * (2 * rank)
    around = [(0, 0), (0, 0), *zip(pads[:rank], pads[rank:], strict=True)]
    padded = np.pad(x, around, constant_values=padding)
    reach = tuple(d * (k - 1) + 1 for d, k in zip(dilations, kernel, strict=True))
    if any(r > size for r, size in zip(reach, padded.shape[2:], strict=True)):
        raise ModelRefused(
            f"a kernel that reaches {list(reach)} is larger than its input {list(x.shape[2:])}"
        )
    spatial = tuple(range(2, 2 + rank))
    seen = np.lib.stride_tricks.sliding_window_view(padded, reach, axis=spatial)
    steps = [slice(None, None, s) for s in (*strides, *dilations)]
    return np.asarray(seen[(slice(None), slice(None), *steps)])


def qlinear_matmul(
    a: Array, a_params: QuantParams, b: Array, b_params: QuantParams, y_params: QuantParams
) -> Array:
    """Numbers of y's grid, [.., M, N], from a [.., M, K] and b [.., K, N], numbers of theirs.

    a and y have one scale, b one or one for each column. Accumulates in int32.
    https://onnx.ai/onnx/operators/onnx__QLinearMatMul.html. Raises ModelRefused for another granularity, as
    onnxruntime does.
    """
    check_granularity(a_params, b_params, y_params, rank=b.ndim, column_axis=b.ndim - 1)
    products = exact_products(a, b)
    sums = without_zero_points(products, a, a_params.zero_point, b, b_params.zero_point)
    return requantize(sums, factor(a_params, b_params, y_params), y_params)


def check_granularity(x: QuantParams, w: QuantParams, y: QuantParams, rank: int, column_axis: int) -> None:
    """Raises ModelRefused unless x and y have one scale, and w of `rank` has one, or one along its `column_axis`."""
    if x.scale.ndim or y.scale.ndim:
        raise ModelRefused("an integer kernel takes activations with one scale", "quantize them per tensor")
    axis, block_size = w.granularity.axis, w.granularity.block_size
    if block_size is not None or (axis is not None and axis % rank != column_axis):
        blocks = f" in blocks of {block_size}" if block_size else ""
        raise ModelRefused(
            f"an integer kernel takes no weights with scales along axis {axis}{blocks}",
            f"quantize them per tensor, or along axis {column_axis}",
        )


def factor(x: QuantParams, w: QuantParams, y: QuantParams) -> Floats:
    """One for each of w's scales. x and y have a single scale each."""
    return np.asarray(x.scale * w.scale / y.scale, np.float32)


def requantize(sums: Ints, factors: Floats, y: QuantParams) -> Array:
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


@dataclass(frozen=True)
class Noise:
    """Of all values: mean squared error, and `largest` |x - x'|, in x's unit (squared).

    `mse` is the sum of `clipping`, the part of the values outside what the grid can represent, and `rounding`, the
    part of those inside. `sqnr_db` is 10 log10(sum x^2 / sum (x - x')^2), None when nothing is lost.
    """

    mse: float
    clipping: float
    rounding: float
    largest: float
    sqnr_db: float | None


def error(x: npt.ArrayLike, params: QuantParams) -> Noise:
    """In float64 over the float32 values. No values lose nothing. Raises DataRefused where x is not finite."""
    values = np.asarray(x, np.float32)
    if not np.all(np.isfinite(values)):
        raise DataRefused(
            "a tensor to quantize has values that are inf or nan", "look for overflow in the model"
        )
    lost = values.astype(np.float64) - round_trip(values, params)
    low, high = (params.granularity.spread(limit, values.shape) for limit in limits(params))
    outside = (values < low) | (values > high)
    count = max(values.size, 1)
    clipping = float(np.sum(np.square(lost), where=outside)) / count
    inside = float(np.sum(np.square(lost), where=~outside)) / count
    mse = clipping + inside
    signal = float(np.sum(np.square(values, dtype=np.float64))) / count
    return Noise(
        mse=mse,
        clipping=clipping,
        rounding=inside,
        largest=float(np.max(np.abs(lost), initial=0.0)),
        sqnr_db=10.0 * float(np.log10(signal / mse)) if mse > 0 else None,
    )


def limits(params: QuantParams) -> tuple[Floats, Floats]:
    """The smallest and the largest value that each scale can represent: scale (q_min - zero_point), .. q_max .."""
    low, high = params.grid.q_min - params.zero_point, params.grid.q_max - params.zero_point
    return low.astype(np.float32) * params.scale, high.astype(np.float32) * params.scale


def quantize(x: npt.ArrayLike, params: QuantParams, rounding: Rounding) -> Array:
    """As numerics.quantize, but for the rounding, which takes x and scale (float32, broadcast)."""
    values = np.asarray(x, np.float32)
    return on_grid(rounding(values, params.over(values.shape)[0]), params)


def half_even_by_reciprocal(x: Floats, scale: Floats) -> Floats:
    return np.asarray(np.rint(x * (np.float32(1) / scale)), np.float32)


def half_away(x: Floats, scale: Floats) -> Floats:
    """As C's roundf. Not floor(|x| + 0.5): that addition rounds 0.49999997 up to 1."""
    steps = np.abs(x / scale)
    whole = np.floor(steps)
    return np.asarray(np.copysign(whole + (steps - whole >= np.float32(0.5)), x), np.float32)


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


def saturating_matmul(
    a: Array, a_params: QuantParams, b: Array, b_params: QuantParams, y_params: QuantParams
) -> Saturated:
    """`qlinear_matmul` as such a CPU computes it. Raises as it does."""
    check_granularity(a_params, b_params, y_params, rank=b.ndim, column_axis=b.ndim - 1)
    products, saturated = pair_products(a, b, a_params.grid, b_params.grid)
    sums = without_zero_points(products, a, a_params.zero_point, b, b_params.zero_point)
    y = requantize(sums, factor(a_params, b_params, y_params), y_params)
    return Saturated(y, saturated.reshape(-1, b.shape[-1]).sum(axis=0), _pairs(sums, a))


def saturating_conv(
    x: Array,
    x_params: QuantParams,
    w: Array,
    w_params: QuantParams,
    y_params: QuantParams,
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
