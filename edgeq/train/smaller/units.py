"""Which channels of a graph can only be removed together: each has a unit, and units are tied."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.int64]

KEPT = 0  # the unit of all that cannot be removed


class Units:
    """Disjoint sets of channels, numbered from 0. What is tied to KEPT is never removed."""

    def __init__(self) -> None:
        self._parents = np.zeros(1, np.int64)
        self._count = 1

    def fresh(self, count: int) -> Ids:
        """Units that are tied to nothing, [count]."""
        if self._count + count > len(self._parents):
            longer = np.arange(2 * (self._count + count), dtype=np.int64)
            longer[: self._count] = self._parents[: self._count]
            self._parents = longer
        made = np.arange(self._count, self._count + count, dtype=np.int64)
        self._count += count
        return made

    def tie(self, some: Ids, others: Ids) -> None:
        """Each of `some` with the one of `others` at the same place; their shapes broadcast."""
        pairs = np.stack(np.broadcast_arrays(self.roots(some), self.roots(others)), axis=-1).reshape(-1, 2)
        pairs = pairs[pairs[:, 0] != pairs[:, 1]]
        for one, other in np.unique(pairs, axis=0):
            low, high = sorted((self._root(int(one)), self._root(int(other))))
            self._parents[high] = low

    def keep(self, ids: Ids) -> None:
        self.tie(unrepeated(ids), np.zeros((), np.int64))

    def roots(self, ids: Ids) -> Ids:
        """The first of those that each is tied to, of the same shape."""
        found = self._parents[ids]
        while True:
            above = self._parents[found]
            if np.array_equal(above, found):
                return found
            found = above

    def varies(self, ids: Ids, axis: int) -> bool:
        """Whether it matters which index of the axis is removed."""
        few = unrepeated(ids)
        if few.shape[axis] < 2:
            return False
        roots = self.roots(few)
        return bool(np.any(roots != roots.take([0], axis)))

    def _root(self, one: int) -> int:
        while self._parents[one] != one:
            one = int(self._parents[one])
        return one


def along(units: Units, ids: Ids, axis: int) -> Ids:
    """[n]: the unit of each index of `axis`. Those that differ along other axes are tied."""
    moved = np.moveaxis(unrepeated(ids, (axis,)), axis, 0).reshape(ids.shape[axis], -1)
    first = moved[:, 0]
    if moved.shape[1] > 1:
        units.tie(first[:, None], moved)
    return first


def unrepeated(ids: Ids, but: Iterable[int] = ()) -> Ids:
    """One index of every axis along which the array is repeated in memory, but for those of `but`."""
    kept = {k % ids.ndim for k in but}
    return ids[
        tuple(slice(0, 1) if s == 0 and k not in kept else slice(None) for k, s in enumerate(ids.strides))
    ]


def distinct(roots: Ids, axis: int) -> int:
    """At most how many units there are once those that differ along other axes are tied."""
    moved = np.moveaxis(roots, axis, 0).reshape(roots.shape[axis], -1)
    return len(np.unique(moved.min(axis=1)))
