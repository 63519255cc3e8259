"""What one layer's inputs have to do with each other, in float and as the quantized layer gets them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .linear import Linear

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Moments:
    """Of columns x (float) and z (quantized), per group: `gram` = E[z z'], `cross` = E[x z'], both [groups, k, k], and
    the means [groups, k]; from `count` columns.
    """

    gram: npt.NDArray[np.float64]
    cross: npt.NDArray[np.float64]
    mean_float: npt.NDArray[np.float64]
    mean_quantized: npt.NDArray[np.float64]
    count: int

    @property
    def centred(self) -> "Moments":
        """The same about the means: a bias takes care of those."""
        z = self.mean_quantized[:, None, :]
        gram = self.gram - self.mean_quantized[:, :, None] * z
        cross = self.cross - self.mean_float[:, :, None] * z
        return Moments(gram, cross, self.mean_float, self.mean_quantized, self.count)

    def __add__(self, other: "Moments") -> "Moments":
        """Of the columns of both."""
        count = self.count + other.count
        a, b = self.count / count, other.count / count
        return Moments(
            a * self.gram + b * other.gram,
            a * self.cross + b * other.cross,
            a * self.mean_float + b * other.mean_float,
            a * self.mean_quantized + b * other.mean_quantized,
            count,
        )


def halves_of(linear: Linear, pairs: Sequence[tuple[Array, Array]], k: int) -> tuple[Moments, Moments]:
    """`moments_of` every other sample and of the rest, to try on one what was learned from the other."""
    rest = pairs[1::2] or pairs
    return moments_of(linear, pairs[::2], k), moments_of(linear, rest, k)


def moments_of(linear: Linear, pairs: Sequence[tuple[Array, Array]], k: int) -> Moments:
    """`pairs` are (float, quantized) inputs of one layer, one pair per sample; `k` is the length of a column.

    So many columns are used, evenly spread, that there are several per weight; all of them would only take longer.
    """
    sums: list[npt.NDArray[np.float64]] = []
    count = held = 0
    piece: list[tuple[Array, Array]] = []
    for i, (x, z) in enumerate(pairs):
        step = _step(linear.positions(x.shape), k, len(pairs))
        piece.append((linear.columns(x, i % step, step), linear.columns(z, i % step, step)))
        held += piece[-1][0].shape[2]
        if held >= _AT_ONCE or i == len(pairs) - 1:
            found = _sums(piece)
            sums = [s + f for s, f in zip(sums, found, strict=True)] if sums else found
            count, held, piece = count + held, 0, []
    gram, cross, mean_float, mean_quantized = (s / max(count, 1) for s in sums)
    return Moments(gram, cross, mean_float, mean_quantized, count)


def _sums(piece: list[tuple[Array, Array]]) -> list[npt.NDArray[np.float64]]:
    """Of z z', x z', x and z over all columns; single precision within a piece, double between them."""
    x, z = (np.concatenate(part, axis=2, dtype=np.float32) for part in zip(*piece, strict=True))
    found = (z @ z.transpose(0, 2, 1), x @ z.transpose(0, 2, 1), x.sum(2), z.sum(2))
    return [f.astype(np.float64) for f in found]


_AT_ONCE = 4096  # columns
_PER_WEIGHT = 8  # columns for each weight of a row
_FEWEST, _MOST = 4096, 32768


def _step(positions: int, k: int, samples: int) -> int:
    """An odd step meets every row and column of a picture."""
    wanted = min(max(_PER_WEIGHT * k, _FEWEST), _MOST)
    step = max(1, math.ceil(positions * samples / wanted))
    return step - 1 + step % 2
