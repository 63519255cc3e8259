"""Scale and zero point of a range, and values onto the grid and back, as QuantizeLinear and DequantizeLinear do.

    q = clip(round(x / S) + Z, q_min, q_max)      x' = S (q - Z)

https://onnx.ai/onnx/operators/onnx__QuantizeLinear.html. Bit for bit what onnxruntime's CPU kernels give, and with
another rounding what LiteRT's give. The runtimes differ at halves and in the last bit before them:

    half_even                 onnxruntime, all widths (MLAS: divps, cvtps2dq; NEON: fdiv, fcvtns)
    half_even_by_reciprocal   LiteRT through XNNPACK, 8 and 16 bits per tensor: it multiplies with 1 / scale
    half_away                 LiteRT's own kernels: per channel, 4 bits, and everything with its reference kernels

A rounding takes x and scale (float32, broadcast) and returns round(x / scale), all of it in float32 on purpose: a
runtime that divides in float32 lands on halves that are none in float64.

A scale is computed in float64 and rounded to float32 once, as runtimes read it; zero points follow from the rounded scale.
Zero is always exact: padding, ReLU and absent values depend on it.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.errors import DataRefused, TargetRefused
from edgeq.quantize.numerics.grid import PER_TENSOR, Floats, Granularity, Grid, Params

Doubles = npt.NDArray[np.float64]
Array = npt.NDArray[Any]
Rounding = Callable[[Floats, Floats], Floats]

_ONE = np.float32(1)
_HALF = np.float32(0.5)
# A subnormal scale is zero to a CPU that flushes subnormals, and its reciprocal, which XNNPACK multiplies with, may be
# infinite. Ranges below it are held to a coarser step, of 1e-38; one above it is clipped at float32's end.
_SMALLEST = float(np.finfo(np.float32).tiny)
_LARGEST = float(np.finfo(np.float32).max)


def affine(
    low: npt.ArrayLike, high: npt.ArrayLike, grid: Grid, granularity: Granularity = PER_TENSOR
) -> Params:
    """S = (max(high, 0) - min(low, 0)) / (q_max - q_min), Z = clip(round(q_min - min(low, 0) / S), q_min, q_max).

    Jacob et al., "Quantization and training of neural networks for efficient integer-arithmetic-only inference", CVPR
    2018, sections 2.1 and 3 (the zero point is nudged onto the grid). Halves round to even. Every value of the range
    comes back within S / 2, its ends too. `low` and `high` have one value for each scale; an empty range [0, 0] gets
    S = 1. Raises DataRefused for ends that are not finite or in the wrong order.
    """
    least, most = _range(low, high)
    scale = _scale((most - least) / grid.steps)
    zero = np.clip(np.rint(grid.q_min - least / scale), grid.q_min, grid.q_max)
    return Params(scale, zero.astype(np.int32), grid, granularity)


def symmetric(
    low: npt.ArrayLike, high: npt.ArrayLike, grid: Grid, granularity: Granularity = PER_TENSOR
) -> Params:
    """S = max(-min(low, 0) / (Z - q_min), max(high, 0) / (q_max - Z)), Z = 0 (unsigned: the upper middle, 128 of uint8).

    Krishnamoorthi, "Quantizing deep convolutional networks for efficient inference", 2018, section 2.2. On a narrow
    grid both sides have as many steps and this is max(|low|, |high|) / q_max. On a full one the negative side has a
    step more, which is used: the finest scale that clips nothing. Raises as `affine`, and TargetRefused for a grid of
    1 bit, which has no number above zero.
    """
    if grid.bits == 1:
        raise TargetRefused(
            "1 bit cannot be symmetric: zero and one side use it up", "take affine, or 2 bits"
        )
    least, most = _range(low, high)
    scale = _scale(np.maximum(-least / (grid.centre - grid.q_min), most / (grid.q_max - grid.centre)))
    return Params(scale, np.full(scale.shape, grid.centre, np.int32), grid, granularity)


def _range(low: npt.ArrayLike, high: npt.ArrayLike) -> tuple[Doubles, Doubles]:
    """The range, widened until zero is in it."""
    least, most = np.asarray(low, np.float64), np.asarray(high, np.float64)
    if not (np.all(np.isfinite(least)) and np.all(np.isfinite(most))):
        raise DataRefused(
            "a range to quantize ends in inf or nan",
            "look for overflow in the model or in the samples: their float outputs are not finite either",
        )
    if np.any(least > most):
        raise DataRefused(f"a range to quantize starts above its end: {_first(least, most)}")
    return np.minimum(least, 0.0), np.maximum(most, 0.0)


def _first(least: Doubles, most: Doubles) -> str:
    wrong = np.argmax(np.ravel(least > most))
    return f"{np.ravel(least)[wrong]:g} > {np.ravel(most)[wrong]:g}"


def _scale(step: Any) -> npt.NDArray[np.float32]:
    kept = np.clip(step, _SMALLEST, _LARGEST)
    return np.asarray(np.where(np.asarray(step) == 0, 1.0, kept), np.float32)


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
