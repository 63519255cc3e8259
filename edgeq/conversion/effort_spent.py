"""What a conversion took, and what it would have taken with the next --effort."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass

from edgeq.nouns.effort import EffortSpent, NextEffort
from edgeq.nouns.fidelity import Fidelity


@dataclass(frozen=True)
class Clock:
    """Seconds on the wall, and of this process and those that it started on all cores."""

    wall: float
    cpu: float

    @classmethod
    def now(cls) -> "Clock":
        return cls(time.monotonic(), sum(os.times()[:4]))


def effort_spent(effort: str, judged: Sequence[Fidelity], began: Clock, now: Clock) -> EffortSpent:
    """The estimate of a candidate covers those that were made from it. One that was made before, by a conversion whose time is not
    known here, leaves nothing to compare with.
    """
    seconds, spent = now.wall - began.wall, now.cpu - began.cpu
    changed = {one.candidate: one.next_effort for one in judged if one.next_effort is not None}
    if not changed or not all(one.costs for one in judged):
        return EffortSpent(effort, seconds, spent)
    making = sum(_cpu_seconds(one) for one in judged if one.candidate.startswith(tuple(changed)))
    first = next(iter(changed.values()))
    more = sum(each.cpu_seconds for each in changed.values()) - making
    return EffortSpent(effort, seconds, spent, NextEffort(first.effort, spent + more, first.gain_db))


def _cpu_seconds(one: Fidelity) -> float:
    return sum(cost.cpu_seconds for cost in one.costs)
