"""QLinearMatMul in integers: the reference that kernels are held against, bit for bit onnxruntime's."""

from typing import Any

import numpy.typing as npt

from edgeq.errors import ModelRefused

from .params import Params
from .requantize import exact_products, factor, requantize, without_zero_points

Array = npt.NDArray[Any]


def qlinear_matmul(a: Array, a_params: Params, b: Array, b_params: Params, y_params: Params) -> Array:
    """Numbers of y's grid, [.., M, N], from a [.., M, K] and b [.., K, N], numbers of theirs.

    a and y have one scale, b one or one for each column. Accumulates in int32.
    https://onnx.ai/onnx/operators/onnx__QLinearMatMul.html. Raises ModelRefused for another granularity, as
    onnxruntime does.
    """
    check_granularity(a_params, b_params, y_params, column_axis=b.ndim - 1)
    products = exact_products(a, b)
    sums = without_zero_points(products, a, a_params.zero_point, b, b_params.zero_point)
    return requantize(sums, factor(a_params, b_params, y_params), y_params)


def check_granularity(x: Params, w: Params, y: Params, column_axis: int) -> None:
    """Raises ModelRefused unless x and y have one scale and w one, or one along its `column_axis`."""
    if x.scale.ndim or y.scale.ndim:
        raise ModelRefused("an integer kernel takes activations with one scale", "quantize them per tensor")
    where = w.granularity
    if where.block_size is not None or where.axis not in (None, column_axis, -1 if column_axis else 0):
        raise ModelRefused(
            f"an integer kernel takes no weights with scales along axis {where.axis}"
            + (f" in blocks of {where.block_size}" if where.block_size else ""),
            f"quantize them per tensor, or along axis {column_axis}",
        )
