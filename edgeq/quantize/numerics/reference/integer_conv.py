"""QLinearConv in integers: the reference that kernels are held against, bit for bit onnxruntime's.

A convolution is lowered to one matrix product for each group, with columns in onnxruntime's order: kernel position
major, input channel minor (its CPU kernel works on NHWC, whatever the model says; `qlinearconv.cc`, ReorderFilter and
Im2col<NHWC>). The order does not matter to exact sums; it does to sums that saturate in pairs.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.errors import ModelRefused
from edgeq.quantize.numerics.params import Ints, Params
from edgeq.quantize.numerics.reference.integer_matmul import check_granularity
from edgeq.quantize.numerics.reference.requantize import (
    exact_products,
    factor,
    requantize,
    without_zero_points,
)

Array = npt.NDArray[Any]


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
    x_params: Params,
    w: Array,
    w_params: Params,
    y_params: Params,
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
    x: Array, x_params: Params, w: Array, w_params: Params, y_params: Params, window: Window
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
    products: Array, lowered: Lowered, x_params: Params, w_params: Params, y_params: Params, bias: Ints | None
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
