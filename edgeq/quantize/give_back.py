"""Of layers in float with which the gate holds, gives back to int8 what the gate does not need, within a budget.

Knows sets of names and whether they pass; not what a layer is, nor how it is judged.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Clock = Callable[[], float]

SECONDS = 120.0  # where nothing else was said
MOST_TRIES = 64  # each looks at the held-out samples: the more, the more luck is in what passes


class Budget:
    """Counts from the moment it is made; `clock` in seconds."""

    def __init__(self, seconds: float, clock: Clock = time.monotonic, most_tries: int = MOST_TRIES) -> None:
        self._seconds, self._clock, self._most = seconds, clock, most_tries
        self._started, self.tries = clock(), 0

    @property
    def share(self) -> float:
        """What is used up of it, 0..1."""
        time_used = (self._clock() - self._started) / self._seconds if self._seconds > 0 else 1.0
        return min(1.0, max(time_used, self.tries / self._most))

    @property
    def spent(self) -> str:
        """What of it is used up, in words; empty while there is some left."""
        if self._clock() - self._started >= self._seconds:
            return f"its {self._seconds:g} s were over"
        return f"its {self._most} tries were used up" if self.tries >= self._most else ""


@dataclass(frozen=True)
class GivenBack:
    """`left` in float. `needed` of it: the gate fails when that one alone is given back. `stopped` as Budget.spent."""

    left: tuple[str, ...]
    needed: frozenset[str]
    stopped: str = ""


def give_back(
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
