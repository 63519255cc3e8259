"""Interpolation along one axis as a matrix [outputs, inputs]: the formulas of ONNX's Resize. In numpy, 64-bit."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]
_ROUNDED = {
    "round_prefer_floor": lambda x: math.ceil(x - 0.5),
    "round_prefer_ceil": lambda x: math.floor(x + 0.5),
    "floor": math.floor,
    "ceil": math.ceil,
}


@dataclass(frozen=True)
class Resampling:
    """The attributes of Resize: mode is nearest, linear or cubic."""

    mode: str
    coordinates: str
    nearest: str
    cubic_a: float = -0.75
    exclude_outside: bool = False
    antialias: bool = False
    outside: float = 0.0


def matrix(size: int, out: int, scale: float, how: Resampling, region: tuple[float, float]) -> Matrix:
    """`region` is the part of the axis that tf_crop_and_resize takes; outputs outside of the axis are then all zero, which is the
    default of extrapolation_value.
    """
    found = np.zeros((out, size))
    for k in range(out):
        x = _coordinate(k, size, out, scale, how.coordinates, region)
        if how.coordinates == "tf_crop_and_resize" and not 0 <= x <= size - 1:
            continue
        for place, weight in _weights(x, scale, how):
            inside = 0 <= place < size
            if inside or not how.exclude_outside:
                found[k, min(max(place, 0), size - 1)] += weight
        if how.exclude_outside or how.antialias:
            found[k] /= found[k].sum()
    return found


def _coordinate(k: int, size: int, out: int, scale: float, kind: str, region: tuple[float, float]) -> float:
    """Where output k lies on the input."""
    if kind == "asymmetric":
        return k / scale
    if kind == "align_corners":
        return k * (size - 1) / (out - 1) if out > 1 else 0.0
    if kind == "pytorch_half_pixel" and out == 1:
        return 0.0 if out * 1.0 == size * scale else -0.5
    if kind == "tf_crop_and_resize":
        start, end = region
        if out > 1:
            return start * (size - 1) + k * (end - start) * (size - 1) / (out - 1)
        return 0.5 * (start + end) * (size - 1)
    if kind == "half_pixel_symmetric":
        adjusted = out / (scale * size)
        return size / 2 * (1 - adjusted) + (k + 0.5) / scale - 0.5
    return (k + 0.5) / scale - 0.5


def _weights(x: float, scale: float, how: Resampling) -> list[tuple[int, float]]:
    """Places on the input, which may lie outside, and their weights."""
    if how.mode == "nearest":
        return [(int(_ROUNDED[how.nearest](x)), 1.0)]
    stretch = min(scale, 1.0) if how.antialias else 1.0
    reach = (1 if how.mode == "linear" else 2) / stretch
    places = range(math.floor(x - reach) + 1, math.ceil(x + reach) + (x + reach == math.floor(x + reach)))
    kernel = _triangle if how.mode == "linear" else lambda d: _cubic(d, how.cubic_a)
    return [(p, kernel(abs(x - p) * stretch)) for p in places]


def _triangle(distance: float) -> float:
    return max(1.0 - distance, 0.0)


def _cubic(d: float, a: float) -> float:
    """Keys' kernel (1981), with the coefficient that Resize takes."""
    if d <= 1:
        return (a + 2) * d**3 - (a + 3) * d**2 + 1
    if d < 2:
        return a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a
    return 0.0
