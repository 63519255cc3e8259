"""How long a step still takes, and all that are planned behind it: extrapolated from the time that its share has taken.

At its beginning a step is expected to take what was planned for it, times what steps before took of what was planned for them:
those of its own name above all, where there were some. Knows nothing of conversions; the clock is given.
"""

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from edgeq.nouns.progress import PlannedStep

_PRIOR = 0.02  # the share of a step by which its own time counts as much as what was planned
_TRUSTED_S = 1.0  # planned seconds that count as steps that took as long as planned
_OWN_TRUSTED_S = 0.3  # the same, for steps of one name, at the pace of all


@dataclass(frozen=True)
class Left:
    """Seconds that the step and everything planned still take; None where that cannot be told yet."""

    step: float | None
    all: float | None


@dataclass
class _Running:
    """`seen` is when `share` was told."""

    name: str
    began: float
    planned: float | None
    seen: float
    share: float = 0.0


@dataclass(frozen=True)
class _Pace:
    """What steps took of what was planned for them."""

    took: float = 0.0
    planned: float = 0.0

    def and_of(self, took: float, planned: float) -> "_Pace":
        return _Pace(self.took + took, self.planned + planned)

    def within(self, usual: float, trusted_s: float) -> float:
        return (self.took + usual * trusted_s) / (self.planned + trusted_s)


class TimeLeft:
    """`planned` are the steps in the order in which they run. Those that were not planned have no share in `all`; planned ones that
    never begin are dropped when a later one of their candidate begins.
    """

    def __init__(
        self, planned: Iterable[PlannedStep] = (), clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._ahead: list[PlannedStep] = []
        self._any = False
        self._running: dict[str, _Running] = {}
        self._all, self._by_name = _Pace(), dict[str, _Pace]()
        self.plan(planned)

    def plan(self, planned: Iterable[PlannedStep]) -> None:
        """In place of all that was planned and has not begun."""
        self._ahead = [*planned]
        self._any = self._any or bool(self._ahead)

    def at(self, of: str, name: str, share: float) -> Left:
        """When `share` of the step, 0 to 1, is done."""
        now, step = self._clock(), self._running.get(of)
        if step is None or step.name != name or share < step.share:
            step = self._begun(of, name, now)
        if share >= 1.0:
            self._count(step)
        step.share, step.seen = share, now
        left = self._of_step(step, now)
        ahead = sum(each.expected_s * self._pace(each.name) for each in self._ahead)
        return Left(left, (left or 0.0) + ahead if self._any else None)

    def over(self, of: str) -> None:
        """Nothing of this candidate follows."""
        self._end(of, self._clock())
        self._ahead = [each for each in self._ahead if each.of != of]

    def _pace(self, name: str) -> float:
        all_ = self._all
        for step in self._running.values():
            if step.planned is not None and 0.0 < step.share < 1.0:
                all_ = all_.and_of(step.seen - step.began, step.planned * step.share)
        usual = all_.within(1.0, _TRUSTED_S)
        return self._by_name.get(name, _Pace()).within(usual, _OWN_TRUSTED_S)

    def _begun(self, of: str, name: str, now: float) -> _Running:
        self._end(of, now)
        mine = [each for each in self._ahead if each.of == of]
        found = next((each for each in mine if each.name == name), None)
        if found is not None:
            dropped = mine[: mine.index(found) + 1]
            ahead = (each for each in self._ahead if not any(each is one for one in dropped))
            self._ahead = [each.after(found) if each.of == of else each for each in ahead]
        self._running[of] = _Running(name, now, None if found is None else found.seconds, now)
        return self._running[of]

    def _end(self, of: str, now: float) -> None:
        step = self._running.pop(of, None)
        if step is None or step.share >= 1.0:
            return
        if step.share > 0.0:
            self._count(step)
        elif step.planned is not None:  # it only said that it begins: it may have ended early
            own = self._by_name.get(step.name, _Pace())
            self._by_name[step.name] = own.and_of(now - step.began, step.planned)

    def _count(self, step: _Running) -> None:
        """What the step took of what was planned, up to the share before its end: a step may end early."""
        if step.planned is not None and 0.0 < step.share < 1.0:
            took, planned = step.seen - step.began, step.planned * step.share
            self._all = self._all.and_of(took, planned)
            self._by_name[step.name] = self._by_name.get(step.name, _Pace()).and_of(took, planned)

    def _of_step(self, step: _Running, now: float) -> float | None:
        elapsed = now - step.began
        if step.share >= 1.0:
            return 0.0
        expected = None if step.planned is None else step.planned * self._pace(step.name)
        if step.share <= 0.0:
            return None if expected is None else max(expected - elapsed, 0.0)
        whole = elapsed / step.share
        if expected and whole:
            own = step.share / (step.share + _PRIOR)
            whole = math.exp(own * math.log(whole) + (1 - own) * math.log(expected))
        return max(whole - elapsed, 0.0)
