"""Weights of two levels (binary) and of three (ternary), each with a scaling factor.

    binary     levels -1, 1       s = mean |w|
    ternary    levels -1, 0, 1    s = mean of the n largest |w|, n = argmax (sum of the n largest)^2 / n

Binary: Rastegari et al., "XNOR-Net", ECCV 2016, arXiv:1603.05279, equation 6, which is the least squared error. Its error is
sum w^2 - s sum |w|. Ternary: Li and Liu, "Ternary weight networks", 2016, arXiv:1605.04711, equations 4 and 5. They put the
threshold at 0.7 mean |w|, which is near the best for Gaussian weights; sorted magnitudes give the best one itself. There the
threshold is s / 2, so that the nearest level is the one that was chosen.
"""

import numpy as np
import numpy.typing as npt

from edgeq.quantize.numerics.best_scale import rows
from edgeq.quantize.numerics.levels import Levels
from edgeq.quantize.numerics.uniform import Doubles, Floats

_SMALLEST = float(np.finfo(np.float32).tiny)


def fitted_binary(weights: npt.ArrayLike, axis: int | None) -> Levels:
    """Zero becomes -1 times the scale, which for zeros alone is the smallest number. Raises DataRefused if not finite."""
    return _levels([-1, 1], np.abs(rows(weights, axis)).mean(axis=1), axis)


def fitted_ternary(weights: npt.ArrayLike, axis: int | None) -> Levels:
    """Raises DataRefused where weights are not finite."""
    falling = -np.sort(-np.abs(rows(weights, axis)), axis=1)
    counts = np.arange(1, falling.shape[1] + 1)
    sums = falling.cumsum(axis=1)
    best = np.argmax(np.square(sums) / counts, axis=1)
    return _levels([-1, 0, 1], np.take_along_axis(sums / counts, best[:, None], axis=1)[:, 0], axis)


def _levels(of: list[int], scale: Doubles, axis: int | None) -> Levels:
    held: Floats = np.maximum(scale, _SMALLEST).astype(np.float32)
    return Levels(np.array(of, np.float32), held if axis is not None else held.reshape(()), axis)
