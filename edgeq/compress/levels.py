"""Few levels as small symbols: along one axis of a tensor, such as the outputs of a layer, all values are one of them and a
multiple of a step, or each place has a codebook.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgeq.compress.expand.plan import MOST_IN_BOOK

Bytes = npt.NDArray[np.uint8]
_BITS_OF_LEVEL = 6.0  # of a codebook, as the difference to the one before, packed


@dataclass(frozen=True)
class AlongAxis:
    """The value is `first` + `step` times the symbol, modulo 256; one of each for every place along `axis`."""

    axis: int
    first: Bytes
    step: Bytes

    @property
    def size(self) -> int:
        """Bytes."""
        return 2 * len(self.first)


@dataclass(frozen=True)
class BookAlongAxis:
    """The value is `levels` [n, places] of the symbol and half of n, for every place along `axis`."""

    axis: int
    levels: Bytes

    @property
    def size(self) -> int:
        return self.levels.size


AnyLevels = AlongAxis | BookAlongAxis


def with_levels(values: npt.NDArray[np.int8]) -> tuple[AnyLevels | None, npt.NDArray[np.int8]]:
    """Along the first or the last axis, whichever leaves the smaller symbols; None where the values themselves are as small."""
    best: tuple[float, AnyLevels | None, npt.NDArray[np.int8]] = (_spread(values), None, values)
    for axis in sorted({0, values.ndim - 1}):
        along, symbols = _along(values, axis)
        cost = _spread(symbols) + 16 * values.shape[axis] / values.size
        if cost < best[0] - 0.01:
            best = (cost, along, symbols)
        in_books = _in_books(values, axis)
        if in_books is None:
            continue
        book, symbols = in_books
        cost = _spread(symbols) + _BITS_OF_LEVEL * book.size / values.size
        if cost < best[0] - 0.01:
            best = (cost, book, symbols)
    return best[1:]


def _in_books(values: npt.NDArray[np.int8], axis: int) -> tuple[BookAlongAxis, npt.NDArray[np.int8]] | None:
    """None where a place has more levels than a codebook holds."""
    moved = np.moveaxis(values, axis, 0)
    rows = moved.reshape(len(moved), -1)
    there = np.zeros((len(rows), 256), bool)
    there[np.arange(len(rows))[:, None], rows.astype(np.int16) + 128] = True
    counts = there.sum(axis=1)
    most = int(counts.max())
    if most > MOST_IN_BOOK:
        return None
    number = there.cumsum(axis=1) - 1
    # A place with fewer levels has the middle ones, so that small symbols are those near zero everywhere; the others cost least as what
    # is beside them.
    before = (most - counts) // 2
    number += before[:, None]
    book = np.zeros((most, len(rows)), np.int8)
    for k, has in enumerate(there):
        levels = (np.flatnonzero(has) - 128).astype(np.int8)
        book[:, k] = np.pad(levels, (before[k], most - len(levels) - before[k]), mode="edge")
    symbols = number[np.arange(len(rows))[:, None], rows.astype(np.int16) + 128] - most // 2
    shaped = symbols.astype(np.int8).reshape(moved.shape)
    return BookAlongAxis(axis, book.view(np.uint8)), np.ascontiguousarray(np.moveaxis(shaped, 0, axis))


def _along(values: npt.NDArray[np.int8], axis: int) -> tuple[AlongAxis, npt.NDArray[np.int8]]:
    rows = np.moveaxis(values, axis, 0).reshape(values.shape[axis], -1).astype(np.int16)
    first = np.zeros(len(rows), np.int16)
    step = np.ones(len(rows), np.int16)
    for k, row in enumerate(rows):
        there = np.unique(row)
        first[k] = there[np.abs(there).argmin()]
        step[k] = max(1, int(np.gcd.reduce(there - first[k])))
    symbols = ((rows - first[:, None]) // step[:, None]).astype(np.int16)
    if np.abs(symbols).max() > 127:  # such a row stays as it is
        wide = np.abs(symbols).max(axis=1) > 127
        first[wide], step[wide], symbols[wide] = 0, 1, rows[wide]
    moved = symbols.astype(np.int8).reshape(np.moveaxis(values, axis, 0).shape)
    along = AlongAxis(axis, first.astype(np.int8).view(np.uint8), step.astype(np.uint8))
    return along, np.ascontiguousarray(np.moveaxis(moved, 0, axis))


def _spread(values: npt.NDArray[np.int8]) -> float:
    """The entropy of a value, in bits."""
    counts = np.bincount(values.view(np.uint8).reshape(-1), minlength=256)
    shares = counts[counts > 0] / values.size
    return float(-(shares * np.log2(shares)).sum())
