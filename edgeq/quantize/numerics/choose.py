"""Chooses scale and zero point for a range: affine, which spends every number on it, or symmetric, with zero in the middle.

Arithmetic is in float64 and the scale is rounded to float32 once, as runtimes read it; zero points follow from the
rounded scale. Zero is always exact: padding, ReLU and absent values depend on it.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.errors import DataRefused, TargetRefused
from edgeq.quantize.numerics.granularity import PER_TENSOR, Granularity
from edgeq.quantize.numerics.grid import Grid
from edgeq.quantize.numerics.params import Params

Doubles = npt.NDArray[np.float64]

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
