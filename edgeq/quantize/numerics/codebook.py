"""A codebook: 2^bits levels anywhere, by k-means of one dimension (Han et al., "Deep compression", 2016, arXiv:1510.00149).

Sorted values fall into runs, so the best levels can be found exactly, by dynamic programming over where a run ends (Wang and
Song, "Ckmeans.1d.dp: optimal k-means clustering in one dimension by dynamic programming", The R Journal, 2011):

    D[k, j] = min over i of D[k - 1, i] + (sum of squared distances of values i .. j to their mean)

Up to 256 different values that is the least squared error there is. More are first averaged in 256 equal groups, and
what they give is refined by Lloyd's algorithm on the values themselves. Levels are divided by the largest magnitude, which
is the scale. On int8 they move by at most one part in 254 of it.
"""

import numpy as np
import numpy.typing as npt

from edgeq.errors import TargetRefused
from edgeq.quantize.numerics.best_scale import rows
from edgeq.quantize.numerics.levels import Levels
from edgeq.quantize.numerics.uniform import Doubles, Floats

_MOST_BITS = 4
_GROUPS = 256
_ROUNDS = 30
_SMALLEST = float(np.finfo(np.float32).tiny)


def fitted(weights: npt.ArrayLike, bits: int, axis: int | None) -> Levels:
    """A codebook of 2^bits levels, 1 to 4 bits, for each index of `axis`. Raises TargetRefused and DataRefused."""
    _check(bits)
    books = np.stack([_book(np.sort(row), np.ones(row.shape), 1 << bits) for row in rows(weights, axis)])
    scale = np.maximum(np.abs(books).max(axis=1), _SMALLEST)
    levels: Floats = (books / scale[:, None]).astype(np.float32)
    held: Floats = scale.astype(np.float32)
    return Levels(levels, held, axis) if axis is not None else Levels(levels[0], held.reshape(()))


def fitted_shared(weights: npt.ArrayLike, bits: int, axis: int) -> Levels:
    """One codebook for the tensor, with a scale for each index of `axis`: fewer numbers to store, a little more error.

    Each channel is divided by its root mean square, and counts as much as its square in the codebook. Raises as `fitted`.
    """
    _check(bits)
    w = rows(weights, axis)
    size = np.maximum(np.sqrt(np.square(w).mean(axis=1)), _SMALLEST)
    values = (w / size[:, None]).ravel()
    order = np.argsort(values, kind="stable")
    shares = np.repeat(np.square(size / size.max()), w.shape[1])
    book = _book(values[order], np.maximum(shares[order], 1e-12), 1 << bits)
    end = max(float(np.abs(book).max()), _SMALLEST)
    scale: Floats = np.maximum(size * end, _SMALLEST).astype(np.float32)
    return Levels((book / end).astype(np.float32), scale, axis)


def _check(bits: int) -> None:
    if not 1 <= bits <= _MOST_BITS:
        raise TargetRefused(f"there is no codebook of {bits} bits", f"take 1 to {_MOST_BITS}")


def _book(values: Doubles, shares: Doubles, count: int) -> Doubles:
    """`count` levels in ascending order for sorted values [n] that count with their shares; some alike if there are fewer."""
    points, weight = _grouped(values, shares)
    if len(points) <= count:
        return np.concatenate([points, np.full(count - len(points), points[-1])])
    levels = _means(points, weight, _optimal_ends(points, weight, count))
    return levels if len(points) == len(values) else _refined(values, shares, levels)


def _grouped(values: Doubles, shares: Doubles) -> tuple[Doubles, Doubles]:
    """Different values with the sum of their shares, or the means of neighbours where there are too many."""
    starts = np.flatnonzero(np.diff(values, prepend=-np.inf))
    if len(starts) > _GROUPS:
        starts = np.unique(np.linspace(0, len(values), _GROUPS, endpoint=False).astype(np.intp))
    weight = np.add.reduceat(shares, starts)
    return np.add.reduceat(values * shares, starts) / weight, weight


def _optimal_ends(points: Doubles, weight: Doubles, count: int) -> npt.NDArray[np.intp]:
    """Where each of `count` runs begins."""
    n = len(points)
    w, s, q = (np.concatenate([[0.0], np.cumsum(weight * points**power)]) for power in (0, 1, 2))
    mass, moment, square = (x[None, 1:] - x[:-1, None] for x in (w, s, q))  # of i .. j, [i, j]
    with np.errstate(divide="ignore", invalid="ignore"):
        cost = np.where(mass > 0, np.maximum(square - moment**2 / mass, 0.0), np.inf)
    least, begins = cost[0], np.zeros((count, n), np.intp)
    for k in range(1, count):
        total = least[:-1, None] + cost[1:]  # the last run begins at i + 1
        begins[k] = total.argmin(axis=0) + 1
        least = total.min(axis=0)
    starts, end = [], n - 1
    for k in reversed(range(count)):
        starts.append(begins[k, end])
        end = begins[k, end] - 1
    return np.array(starts[::-1], np.intp)


def _means(points: Doubles, weight: Doubles, starts: npt.NDArray[np.intp]) -> Doubles:
    return np.asarray(np.add.reduceat(points * weight, starts) / np.add.reduceat(weight, starts))


def _refined(values: Doubles, shares: Doubles, levels: Doubles) -> Doubles:
    """Lloyd's algorithm on sorted values; a level that no value is nearest to stays where it is."""
    mass, moment = (np.concatenate([[0.0], np.cumsum(x)]) for x in (shares, shares * values))
    for _ in range(_ROUNDS):
        ends = np.searchsorted(values, (levels[1:] + levels[:-1]) / 2, side="right")
        bounds = np.concatenate([[0], ends, [len(values)]])
        inside = np.diff(mass[bounds])
        moved = np.where(inside > 0, np.diff(moment[bounds]) / np.where(inside > 0, inside, 1.0), levels)
        if np.array_equal(moved, levels):
            break
        levels = moved
    return levels
