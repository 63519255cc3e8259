"""Of layers in float with which the gate holds, gives back to int8 what the gate does not need, within a budget.

Knows sets of names and whether they pass; not what a layer is, nor how it is judged. The budget counts tries and never
looks at a clock: the same model and samples give the same file on every machine, however busy it is.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

MOST_TRIES = 64  # each looks at the held-out samples: the more, the more luck is in what passes
_LEAST_TRIES = 16
_WORK = 20e12  # multiply-accumulates of all tries together: some 10 minutes of one core of a desktop CPU


def tries_for(work: int) -> int:
    """How many tries a search has where the user set none. `work`: multiply-accumulates of one try (those of the model
    times the held-out samples)."""
    return max(_LEAST_TRIES, min(MOST_TRIES, int(_WORK // max(work, 1))))


class Budget:
    """Counts `tries` up to `most`."""

    def __init__(self, most: int) -> None:
        self._most, self.tries = most, 0

    @property
    def share(self) -> float:
        """What is used up of it, 0..1."""
        return min(1.0, self.tries / self._most) if self._most else 1.0

    @property
    def spent(self) -> str:
        """What of it is used up, in words; empty while there is some left."""
        if self.tries < self._most:
            return ""
        return f"its {self._most} tries were used up" if self._most else "it was given no tries"


@dataclass(frozen=True)
class GivenBack:
    """`left` in float. `needed` of it: the gate fails when that one alone is given back. `stopped` as Budget.spent."""

    left: tuple[str, ...]
    needed: frozenset[str]
    stopped: str = ""


def minimize_float_set(
    order: Sequence[str],
    passes: Callable[[frozenset[str]], bool | None],
    budget: Budget,
    most: int,
) -> GivenBack:
    """The gate holds with `order` in float, those first that are the likeliest to be spared. `passes` is asked of what
    stays in float, and answers None when the budget does not allow to find out. It ends as soon as more than `most` are
    needed.

    Groups are given back, halved where that fails and doubled where it does not, as in the minimising of Zeller &
    Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", IEEE TSE 28 (2002). Since a gate may fail with more
    layers in float and hold with fewer, it goes round until no single one of those left can be spared.
    """
    left, needed = list(order), set[str]()
    size = max(1, len(left) // 2)
    at = 0
    while at < len(left) and len(needed) <= most:
        group = left[at : at + size]
        answer = passes(frozenset(left).difference(group))
        if answer is None:
            return GivenBack(tuple(left), frozenset(needed), budget.spent)
        if answer:
            del left[at : at + size]
            needed.clear()  # that was found with more in float
            size *= 2
        elif len(group) > 1:
            size = len(group) // 2
        else:
            needed.update(group)
            at += 1
        if at == len(left) and len(needed) < len(left):
            at, size = 0, 1
    return GivenBack(tuple(left), frozenset(needed))
