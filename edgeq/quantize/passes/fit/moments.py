"""What one layer's inputs have to do with each other, in float and as the quantized layer gets them."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.quantize.passes.fit.linear import Linear

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Moments:
    """Of columns x (float) and z (quantized), per group, about their means: `gram` = E[z z'], `cross` = E[x z'], both
    [groups, k, k], and the means [groups, k]; from `count` columns.
    """

    gram: Floats
    cross: Floats
    mean_float: Floats
    mean_quantized: Floats
    count: int

    @property
    def about_zero(self) -> "Moments":
        """The same where no bias takes care of the means."""
        gram = self.gram + _outer(self.mean_quantized, self.mean_quantized)
        cross = self.cross + _outer(self.mean_float, self.mean_quantized)
        return replace(self, gram=gram, cross=cross)


def parts_of(linear: Linear, pairs: Sequence[tuple[Array, Array]], k: int) -> tuple[Moments, Moments]:
    """`moments_of` three samples of four to learn from, and of the fourth, to try that on. It is the same fourth for all
    layers: what was fitted to a sample before it is no judge of what comes behind.
    """
    check = pairs[3::4] or pairs
    return moments_of(linear, [p for i, p in enumerate(pairs) if i % 4 < 3], k), moments_of(linear, check, k)


def moments_of(linear: Linear, pairs: Sequence[tuple[Array, Array]], k: int) -> Moments:
    """`pairs` are (float, quantized) inputs of one layer, one pair per sample; `k` is the length of a column.

    So many columns are used, evenly spread, that there are several per weight; all of them would only take longer.
    """
    step = _step(sum(linear.positions(x.shape) for x, _ in pairs), k)
    sums: list[Floats] = []
    about: list[npt.NDArray[np.float32]] = []
    count = first = 0
    for pair in _batches(linear, pairs, step):
        columns = [linear.columns(a, first, step).astype(np.float32, copy=False) for a in pair]
        # Single precision would lose small variances beside large means.
        about = about or [c.sum(axis=2) / np.float32(max(c.shape[2], 1)) for c in columns]
        for c, a in zip(columns, about, strict=True):
            c -= a[..., None]
        found = _sums(*columns)
        sums = [s + f for s, f in zip(sums, found, strict=True)] if sums else found
        count += columns[0].shape[2]
        first = (first - linear.positions(pair[0].shape)) % step  # as if all were one long row
    gram, cross, x, z = (s / max(count, 1) for s in sums)
    return Moments(gram - _outer(z, z), cross - _outer(x, z), about[0] + x, about[1] + z, count)


def _outer(a: Floats, b: Floats) -> Floats:
    return np.asarray(a[:, :, None] * b[:, None, :])


def _batches(
    linear: Linear, pairs: Sequence[tuple[Array, Array]], step: int
) -> Iterator[tuple[Array, Array]]:
    """Samples of one shape together: one by one they take several times as long."""
    for _, alike in groupby(pairs, key=lambda pair: pair[0].shape[1:]):
        left = [(np.atleast_2d(x), np.atleast_2d(z)) for x, z in alike]
        x = left[0][0]
        fit = min(_AT_ONCE * step // max(linear.positions(x.shape), 1), _STACKED // max(x.nbytes, 1))
        for start in range(0, len(left), max(fit, 1)):
            part = left[start : start + max(fit, 1)]
            yield np.concatenate([x for x, _ in part]), np.concatenate([z for _, z in part])


def _sums(x: Array, z: Array) -> list[Floats]:
    """Of z z', x z', x and z over all columns; single precision within a batch, double between them."""
    found = (z @ z.transpose(0, 2, 1), x @ z.transpose(0, 2, 1), x.sum(2), z.sum(2))
    return [f.astype(np.float64) for f in found]


_AT_ONCE = 4096  # columns
_STACKED = 2**25  # bytes of inputs
_PER_WEIGHT = 8  # columns for each weight of a row
_FEWEST, _MOST = 2048, 32768  # fewer: means, which biases take up, get worse


def _step(columns: int, k: int) -> int:
    """An odd step meets every row and column of a picture."""
    wanted = min(max(_PER_WEIGHT * k, _FEWEST), _MOST)
    step = max(1, math.ceil(columns / wanted))
    return step - 1 + step % 2
