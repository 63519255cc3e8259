"""Values onto the grid and back, as QuantizeLinear and DequantizeLinear do.

    q = clip(round(x / S) + Z, q_min, q_max)      x' = S (q - Z)

https://onnx.ai/onnx/operators/onnx__QuantizeLinear.html. Bit for bit what onnxruntime's CPU kernels give, and with
another rounding what LiteRT's give.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.quantize.numerics.params import Floats, Params
from edgeq.quantize.numerics.rounding import Rounding, half_even

Array = npt.NDArray[Any]


def quantize(x: npt.ArrayLike, params: Params, rounding: Rounding = half_even) -> Array:
    """Numbers of the grid, in its dtype and x's shape. Infinities saturate; nan becomes q_min, as in onnxruntime.

    Raises ModelRefused when the scales do not fit x's shape.
    """
    values = np.asarray(x, np.float32)
    scale, zero = params.over(values.shape)
    with np.errstate(over="ignore", invalid="ignore"):
        steps = rounding(values, scale)
    grid = params.grid
    # fmax before fmin: of nan and a number it takes the number.
    inside = np.fmin(np.fmax(steps, _float(grid.q_min - zero)), _float(grid.q_max - zero))
    return np.asarray((inside.astype(np.int32) + zero).astype(grid.dtype))


def dequantize(q: npt.ArrayLike, params: Params) -> Floats:
    """float32 values of q's shape: one rounding, of the product. Raises as `quantize`."""
    numbers = np.asarray(q)
    scale, zero = params.over(numbers.shape)
    return np.asarray(_float(numbers.astype(np.int32) - zero) * scale, np.float32)


def round_trip(x: npt.ArrayLike, params: Params, rounding: Rounding = half_even) -> Floats:
    """x as it comes back from the grid."""
    return dequantize(quantize(x, params, rounding), params)


def _float(numbers: Array) -> Floats:
    """Exact: a difference of two numbers of a 16-bit grid has 17 bits of float32's 24."""
    return numbers.astype(np.float32)
