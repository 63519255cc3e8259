"""QLinearMatMul in integers: the reference that kernels are held against, bit for bit onnxruntime's."""

from typing import Any

import numpy.typing as npt

from edgeq.errors import ModelRefused
from edgeq.quantize.numerics.params import Params
from edgeq.quantize.numerics.reference.requantize import (
    exact_products,
    factor,
    requantize,
    without_zero_points,
)

Array = npt.NDArray[Any]


def qlinear_matmul(a: Array, a_params: Params, b: Array, b_params: Params, y_params: Params) -> Array:
    """Numbers of y's grid, [.., M, N], from a [.., M, K] and b [.., K, N], numbers of theirs.

    a and y have one scale, b one or one for each column. Accumulates in int32.
    https://onnx.ai/onnx/operators/onnx__QLinearMatMul.html. Raises ModelRefused for another granularity, as
    onnxruntime does.
    """
    check_granularity(a_params, b_params, y_params, rank=b.ndim, column_axis=b.ndim - 1)
    products = exact_products(a, b)
    sums = without_zero_points(products, a, a_params.zero_point, b, b_params.zero_point)
    return requantize(sums, factor(a_params, b_params, y_params), y_params)


def check_granularity(x: Params, w: Params, y: Params, rank: int, column_axis: int) -> None:
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
