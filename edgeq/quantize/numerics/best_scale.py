"""The scale with which given levels lose least of a tensor: the least mean squared error, for each channel apart.

    s = argmin sum (w - s levels[i(w / s)])^2

A coarse search from the largest magnitude downwards, then the two steps of Lloyd's algorithm in turn, neither of which ever
makes it worse (S. Lloyd, "Least squares quantization in PCM", 1982): levels to the nearest, and s = sum(w l) / sum(l^2).
"""

import numpy as np
import numpy.typing as npt

from edgeq.errors import DataRefused
from edgeq.quantize.numerics.levels import Levels
from edgeq.quantize.numerics.uniform import Doubles, Floats

_TRIED = np.linspace(1.0, 0.1, 46)  # of the scale at which nothing is clipped
_ROUNDS = 20
_SMALLEST = float(np.finfo(np.float32).tiny)


def with_best_scale(weights: npt.ArrayLike, levels: npt.ArrayLike, axis: int | None) -> Levels:
    """`levels` [k] or [channels, k] with the scales that fit `weights`; of zeros alone the scale is 1.

    The coarse search ends at a tenth of the full range: below that most values would be clipped. Raises DataRefused where
    weights are not finite.
    """
    w = rows(weights, axis)
    fixed = np.broadcast_to(np.asarray(levels, np.float64), (len(w), np.shape(levels)[-1]))
    full = _unclipped(w, fixed)
    scale = full
    least = _error(w, fixed, scale)
    for part in _TRIED[1:]:
        error = _error(w, fixed, full * part)
        scale, least = np.where(error < least, full * part, scale), np.minimum(error, least)
    for _ in range(_ROUNDS):
        chosen = _nearest(w, fixed, scale)
        scale = _least_squares(w, chosen, scale)
    held: Floats = np.maximum(scale, _SMALLEST).astype(np.float32)
    return Levels(np.asarray(levels, np.float32), held if axis is not None else held.reshape(()), axis)


def rows(weights: npt.ArrayLike, axis: int | None) -> Doubles:
    """[channels, n], or [1, n] without an axis. Raises DataRefused where weights are not finite."""
    w = np.asarray(weights, np.float64)
    if not np.all(np.isfinite(w)):
        raise DataRefused(
            "a tensor to quantize has values that are inf or nan", "look for overflow in the model"
        )
    return w.reshape(1, -1) if axis is None else np.moveaxis(w, axis, 0).reshape(w.shape[axis], -1)


def _unclipped(w: Doubles, levels: Doubles) -> Doubles:
    """The smallest scale at which no value of a row is outside of the levels; 1 for zeros."""
    low, high = levels[:, 0], levels[:, -1]
    below = np.divide(np.minimum(w.min(axis=1), 0), low, where=low < 0, out=np.zeros_like(low))
    above = np.divide(np.maximum(w.max(axis=1), 0), high, where=high > 0, out=np.zeros_like(high))
    scale = np.maximum(below, above)
    return np.where(scale > 0, np.clip(scale, _SMALLEST, None), 1.0)


def _nearest(w: Doubles, levels: Doubles, scale: Doubles) -> Doubles:
    """The level of each weight."""
    steps = (w / scale[:, None]).astype(np.float32)
    middles = ((levels[:, 1:] + levels[:, :-1]) / 2).astype(np.float32)
    index = np.zeros(w.shape, np.intp)
    for k in range(middles.shape[1]):
        index += steps > middles[:, k, None]
    return np.take_along_axis(levels, index, axis=1)


def _error(w: Doubles, levels: Doubles, scale: Doubles) -> Doubles:
    return np.asarray(np.square(w - scale[:, None] * _nearest(w, levels, scale)).sum(axis=1))


def _least_squares(w: Doubles, chosen: Doubles, before: Doubles) -> Doubles:
    """As before where every weight has the level zero, or the best scale would be none."""
    power, match = np.square(chosen).sum(axis=1), (w * chosen).sum(axis=1)
    return np.where((power > 0) & (match > 0), match / np.where(power > 0, power, 1.0), before)


def squared_error(weights: npt.ArrayLike, fitted: Levels) -> float:
    """Mean squared error of `weights` as these levels hold them."""
    w: Floats = np.asarray(weights, np.float32)
    return float(np.mean(np.square(w.astype(np.float64) - fitted.round_trip(w))))
