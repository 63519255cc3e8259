"""A tensor whose values are a few levels times a scale, and how a device without kernels for it holds them as int8.

    i = the nearest level to x / s       x' = s * levels[i]

Uniform integers of few bits, additive powers of two, a codebook, two or three levels: each is a file beside this one that
says which levels these are. The error is half the gap between two neighbours, times s, between the lowest and the highest
level, and the distance to the end outside of them. Of a value in the middle between two levels the lower one is nearest.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.errors import ModelRefused, TargetRefused
from edgeq.quantize.numerics.uniform import Array, Doubles, Floats

Indices = npt.NDArray[np.uint8]
MOST_LEVELS = 256
_INT8 = 127  # -128 stays free, as in NARROW_INT8


@dataclass(frozen=True, eq=False)
class Levels:
    """`levels`, float32 in ascending order: [k], or [channels, k] where each index of `axis` has its own.

    `scale`: float32 and positive, [] or with `axis` [channels]. Raises ModelRefused for what is neither.
    """

    levels: Floats
    scale: Floats
    axis: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "levels", np.asarray(self.levels, np.float32))
        object.__setattr__(self, "scale", np.asarray(self.scale, np.float32))
        channels = () if self.axis is None else self.scale.shape[:1]
        if self.scale.shape != channels or self.levels.shape[:-1] not in ((), channels):
            raise ModelRefused(
                f"levels of shape {list(self.levels.shape)} with scales of shape {list(self.scale.shape)}",
                "give one scale, or with an axis as many as it has channels",
            )
        if not 1 <= self.levels.shape[-1] <= MOST_LEVELS:
            raise ModelRefused(f"{self.levels.shape[-1]} levels: there are 1 to {MOST_LEVELS}")
        if not np.all(np.isfinite(self.levels)) or np.any(np.diff(self.levels) < 0):
            raise ModelRefused("levels are not numbers in ascending order", "sort them")
        if not np.all(np.isfinite(self.scale) & (self.scale > 0)):
            raise ModelRefused("a scale is not a positive number", "quantize the tensor again")

    def nearest(self, values: npt.ArrayLike) -> Indices:
        """The index of the nearest level to each value, of the values' shape."""
        steps = np.asarray(values, np.float32) / self._over(self.scale, np.ndim(values))
        middles = (self.levels[..., 1:] + self.levels[..., :-1]) / 2
        found = np.zeros(steps.shape, np.uint8)
        for k in range(middles.shape[-1]):
            found += steps > self._over(middles[..., k], steps.ndim)
        return found

    def values(self, indices: npt.ArrayLike) -> Floats:
        """What the indices stand for, float32 of their shape."""
        at = np.asarray(indices)
        return np.asarray(self._taken(self.levels, at) * self._over(self.scale, at.ndim), np.float32)

    def round_trip(self, values: npt.ArrayLike) -> Floats:
        return self.values(self.nearest(values))

    def expanded_to_int8(self, most: int = _INT8) -> "OnInt8":
        """The same levels as int8 integers up to `most` with scales of their own: the step of least error of all.

        A step is the largest level divided by 1, 2, .. `most`; of equal errors the coarsest is taken, which leaves sums
        in 16 bits the most room. Levels that are multiples of a common step are exact. The error is half a step at
        most: of the largest value one part in 2 `most`. Raises TargetRefused for `most` outside of 1 to 127.
        """
        if not 1 <= most <= _INT8:
            raise TargetRefused(f"int8 integers up to {most}", f"take 1 to {_INT8}")
        rows = np.atleast_2d(self.levels).astype(np.float64)
        largest = np.abs(rows).max(axis=1)
        found = [_on_steps(row, end, most) for row, end in zip(rows, largest, strict=True)]
        integers = np.stack([q for q, _ in found]).reshape(self.levels.shape)
        step = np.array([s for _, s in found]).reshape(self.levels.shape[:-1])
        return OnInt8(self, integers, np.asarray(self.scale.astype(np.float64) * step, np.float32))

    def _taken(self, levels: Array, at: Array) -> Array:
        if levels.ndim == 1:
            return np.asarray(levels[at])
        return np.asarray(levels[self._over(np.arange(len(levels)), at.ndim), at])

    def _over(self, values: Any, rank: int) -> Any:
        """One value for each channel, in a shape that broadcasts against a tensor of `rank`."""
        if self.axis is None or np.ndim(values) == 0:
            return values
        return values.reshape([-1 if i == self.axis % rank else 1 for i in range(rank)])


@dataclass(frozen=True, eq=False)
class OnInt8:
    """`integers`, int8 of the levels' shape, which stand for `scale` times themselves; `scale` is float32 [] or [channels]."""

    of: Levels
    integers: npt.NDArray[np.int8]
    scale: Floats

    @property
    def levels(self) -> Levels:
        """As levels: what a device computes with."""
        return Levels(self.integers.astype(np.float32), self.scale, self.of.axis)

    @property
    def error(self) -> float:
        """The largest difference to the value of a level."""
        wanted = self.of.levels.astype(np.float64) * _as_column(self.of.scale, self.of.axis)
        got = self.integers * _as_column(self.scale, self.of.axis)
        return float(np.max(np.abs(got - wanted)))

    def __call__(self, indices: npt.ArrayLike) -> npt.NDArray[np.int8]:
        """The stored tensor: int8 of the indices' shape."""
        return np.asarray(self.of._taken(self.integers, np.asarray(indices)), np.int8)


def _as_column(scale: Floats, axis: int | None) -> Doubles:
    wide = scale.astype(np.float64)
    return wide if axis is None else wide[:, None]


def _on_steps(levels: Doubles, largest: float, most: int) -> tuple[npt.NDArray[np.int8], float]:
    """Integers and the step for [k] levels of which `largest` is the greatest magnitude."""
    if largest == 0:
        return np.zeros(levels.shape, np.int8), 1.0
    steps = largest / np.arange(1, most + 1)
    errors = np.abs(np.rint(levels / steps[:, None]) * steps[:, None] - levels).max(axis=1)
    # float32 levels such as 0.1 are no exact multiples of their step.
    step = steps[np.argmax(errors <= errors.min() + 1e-6 * largest)]
    return np.rint(levels / step).astype(np.int8), float(step)
