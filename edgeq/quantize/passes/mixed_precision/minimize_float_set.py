"""Minimizes a set of layers in float with which the gate holds, by delta debugging (ddmin) within a budget of tries.

Zeller and Hildebrandt, "Simplifying and isolating failure-inducing input", IEEE TSE 28, 2002. Knows names and whether a set of
them passes the gate. The budget counts tries, not seconds: the same model and samples give the same file on every machine.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

MOST_TRIES = 64  # each sees the held-out samples: the more tries, the more the result is fitted to them
_LEAST_TRIES = 16
_MACS = 20e12  # multiply-accumulates of all tries together: some 10 minutes of one core of a desktop CPU


def tries_for(macs: int) -> int:
    """The budget of a search where the user set none. `macs`: the multiply-accumulates of one try, those of the model times
    the held-out samples.
    """
    return max(_LEAST_TRIES, min(MOST_TRIES, int(_MACS // max(macs, 1))))


class Budget:
    """Counts `tries` up to `most`."""

    def __init__(self, most: int) -> None:
        self._most, self.tries = most, 0

    @property
    def share(self) -> float:
        """The used part, 0..1."""
        return min(1.0, self.tries / self._most) if self._most else 1.0

    @property
    def spent(self) -> str:
        """Why no try is left, in words; empty while there are some."""
        if self.tries < self._most:
            return ""
        return f"its {self._most} tries were used up" if self._most else "it was given no tries"


@dataclass(frozen=True)
class Minimized:
    """`left` in float. `needed` of it: the gate fails with that one alone in int8. `stopped` as Budget.spent."""

    left: tuple[str, ...]
    needed: frozenset[str]
    stopped: str = ""


def minimize_float_set(
    order: Sequence[str],
    passes: Callable[[frozenset[str]], bool | None],
    budget: Budget,
    most: int,
) -> Minimized:
    """The gate holds with the layers of `order` in float, the least likely to be needed first. `passes` says whether it holds
    with a set in float, None where the budget allows no further try. Ends as soon as more than `most` are needed.

    Groups return to int8, halved where the gate fails and doubled where it holds, as in ddmin. Since a gate may fail with
    more layers in float and hold with fewer, passes over the list repeat until every single layer left is needed.
    """
    left, needed = list(order), set[str]()
    size = max(1, len(left) // 2)
    at = 0
    while at < len(left) and len(needed) <= most:
        group = left[at : at + size]
        answer = passes(frozenset(left).difference(group))
        if answer is None:
            return Minimized(tuple(left), frozenset(needed), budget.spent)
        if answer:
            del left[at : at + size]
            needed.clear()  # they were needed next to more layers in float
            size *= 2
        elif len(group) > 1:
            size = len(group) // 2
        else:
            needed.update(group)
            at += 1
        if at == len(left) and len(needed) < len(left):
            at, size = 0, 1
    return Minimized(tuple(left), frozenset(needed))
