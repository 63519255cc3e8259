"""Few levels as small symbols: along one axis of a tensor, such as the outputs of a layer, all values are one of them and a
multiple of a step.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class AlongAxis:
    """The value is `first` + `step` times the symbol, modulo 256; one of each for every place along `axis`."""

    axis: int
    first: Bytes
    step: Bytes


def with_levels(values: npt.NDArray[np.int8]) -> tuple[AlongAxis | None, npt.NDArray[np.int8]]:
    """Along the first or the last axis, whichever leaves the smaller symbols; None where the values themselves are as small."""
    best: tuple[float, AlongAxis | None, npt.NDArray[np.int8]] = (_spread(values), None, values)
    for axis in sorted({0, values.ndim - 1}):
        along, symbols = _along(values, axis)
        cost = _spread(symbols) + 16 * values.shape[axis] / values.size
        if cost < best[0] - 0.01:
            best = (cost, along, symbols)
    return best[1:]


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
