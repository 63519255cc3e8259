"""How long a step still takes, and all that are planned behind it: extrapolated from the time that its share has taken.

At its beginning a step is expected to take what was planned for it, times what the steps before took of what was planned for them.
Knows nothing of conversions; the clock is given.
"""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Step = tuple[str, str]  # of which candidate, "" for none; and its name

_PRIOR = 0.02  # the share of a step by which its own time counts as much as what was planned
_TRUSTED_S = 1.0  # planned seconds that count as a step that took as long as planned


@dataclass(frozen=True)
class Left:
    """Seconds that the step and everything planned still take; None where that cannot be told yet."""

    step: float | None
    all: float | None


@dataclass
class _Running:
    name: str
    began: float
    planned: float | None
    share: float = 0.0
    counted: bool = False


class TimeLeft:
    """`planned` are the seconds of each step, in the order in which they run. Steps that were not planned have no share in `all`;
    planned ones that never begin are dropped when a later one of their candidate begins.
    """

    def __init__(
        self, planned: Mapping[Step, float] | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._ahead = dict(planned or {})
        self._running: dict[str, _Running] = {}
        self._took = self._expected = _TRUSTED_S

    def at(self, of: str, name: str, share: float) -> Left:
        """When `share` of the step, 0 to 1, is done."""
        now, step = self._clock(), self._running.get(of)
        if step is None or step.name != name or share < step.share:
            step = self._begun(of, name, now)
        step.share = share
        if share >= 1.0:
            self._count(step, now)
        left = self._of_step(step, now)
        ahead = self._pace * sum(self._ahead.values())
        planned = bool(self._ahead) or step.planned is not None
        return Left(left, left + ahead if planned and left is not None else None)

    def over(self, of: str) -> None:
        """Nothing of this candidate follows."""
        self._end(of, self._clock())
        self._ahead = {key: seconds for key, seconds in self._ahead.items() if key[0] != of}

    @property
    def _pace(self) -> float:
        """What steps took of what was planned."""
        return self._took / self._expected

    def _begun(self, of: str, name: str, now: float) -> _Running:
        self._end(of, now)
        planned = self._ahead.get((of, name))
        if planned is not None:
            mine = [key for key in self._ahead if key[0] == of]
            for key in mine[: mine.index((of, name)) + 1]:
                del self._ahead[key]
        self._running[of] = _Running(name, now, planned)
        return self._running[of]

    def _end(self, of: str, now: float) -> None:
        step = self._running.pop(of, None)
        if step is not None:
            self._count(step, now)

    def _count(self, step: _Running, now: float) -> None:
        """What a step took of what was planned, once: when it is done, or as much of it as was."""
        if step.planned is not None and step.share > 0.0 and not step.counted:
            self._took += now - step.began
            self._expected += step.planned * step.share
            step.counted = True

    def _of_step(self, step: _Running, now: float) -> float | None:
        elapsed = now - step.began
        expected = None if step.planned is None else step.planned * self._pace
        if step.share >= 1.0:
            return 0.0
        if step.share <= 0.0:
            return None if expected is None else max(expected - elapsed, 0.0)
        whole = elapsed / step.share
        if expected and whole:
            own = step.share / (step.share + _PRIOR)
            whole = math.exp(own * math.log(whole) + (1 - own) * math.log(expected))
        return max(whole - elapsed, 0.0)
