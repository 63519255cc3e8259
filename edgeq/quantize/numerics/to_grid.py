"""Values onto the grid and back, as QuantizeLinear and DequantizeLinear do.

    q = clip(round(x / S) + Z, q_min, q_max)      x' = S (q - Z)

https://onnx.ai/onnx/operators/onnx__QuantizeLinear.html. Bit for bit what onnxruntime's CPU kernels give, and with
another rounding what LiteRT's give. The runtimes differ at halves and in the last bit before them:

    half_even                 onnxruntime, all widths (MLAS: divps, cvtps2dq; NEON: fdiv, fcvtns)
    half_even_by_reciprocal   LiteRT through XNNPACK, 8 and 16 bits per tensor: it multiplies with 1 / scale
    half_away                 LiteRT's own kernels: per channel, 4 bits, and everything with its reference kernels

A rounding takes x and scale (float32, broadcast) and returns round(x / scale), all of it in float32 on purpose: a
runtime that divides in float32 lands on halves that are none in float64.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.quantize.numerics.params import Floats, Params

Array = npt.NDArray[Any]
Rounding = Callable[[Floats, Floats], Floats]

_ONE = np.float32(1)
_HALF = np.float32(0.5)


def half_even(x: Floats, scale: Floats) -> Floats:
    return np.asarray(np.rint(x / scale), np.float32)


def half_even_by_reciprocal(x: Floats, scale: Floats) -> Floats:
    return np.asarray(np.rint(x * (_ONE / scale)), np.float32)


def half_away(x: Floats, scale: Floats) -> Floats:
    """As C's roundf. Not floor(|x| + 0.5): that addition rounds 0.49999997 up to 1."""
    steps = np.abs(x / scale)
    whole = np.floor(steps)
    return np.asarray(np.copysign(whole + (steps - whole >= _HALF), x), np.float32)


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
    """float32 values of q's shape. Raises as `quantize`."""
    numbers = np.asarray(q)
    return real_values(numbers, *params.over(numbers.shape))


def real_values(
    q: Array, scale: npt.ArrayLike, zero_point: npt.ArrayLike = 0, axis: int | None = None
) -> Floats:
    """scale (q - zero_point) of stored integers of up to 16 bits, in float32 with one rounding, of the product.

    With `axis`, scales and zero points are one for each of its indices; else they broadcast against q.
    """
    scales, zeros = np.asarray(scale, np.float32), np.asarray(zero_point, np.int32)
    if axis is not None and scales.size > 1:
        along = [-1 if k == axis % q.ndim else 1 for k in range(q.ndim)]
        scales, zeros = scales.reshape(along), zeros.reshape(along) if zeros.ndim else zeros
    return np.asarray(_float(q.astype(np.int32) - zeros) * scales, np.float32)


def round_trip(x: npt.ArrayLike, params: Params, rounding: Rounding = half_even) -> Floats:
    """x as it comes back from the grid."""
    return dequantize(quantize(x, params, rounding), params)


def _float(numbers: Array) -> Floats:
    """Exact: a difference of two numbers of a 16-bit grid has 17 bits of float32's 24."""
    return numbers.astype(np.float32)
