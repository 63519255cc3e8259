"""Whether the device was left in peace while it was measured: the job's thresholds compared with what was observed.

An idle virtual machine with a little steal and a pressure of 3 is quiet. What cannot be read counts as quiet.
"""

from collections.abc import Iterator, Sequence
from statistics import median
from typing import Optional

from edgeq.nouns.device import Conditions
from edgeq.nouns.job import Thresholds
from edgeq.nouns.measurement import Run

from .probes.throttle import SINCE_BOOT, WORDS

# Below this many ticks of steal (10 ms each) a share is rounding, not interference.
_FEWEST_STEAL_TICKS = 5
_FEWEST_ROUNDS = 6


def not_quiet(
    before: Conditions,
    after: Conditions,
    series: Sequence[Conditions],
    runs: Sequence[Run],
    limits: Thresholds,
) -> "tuple[str, ...]":
    """The reasons why these figures are no basis for a decision; empty when the device was quiet."""
    seen = [*series, after]
    return (
        *_throttled(before, seen),
        *_slowed_clock(series, limits.frequency_drop),
        *_stolen(before, after, limits.steal_share),
        *psi_exceeded(seen, limits),
        *_drifted(runs, limits.drift),
    )


def _throttled(before: Conditions, seen: Sequence[Conditions]) -> "Iterator[str]":
    """Bits that were set at any moment of the run, or whose since-boot bit appeared during it."""
    known = before.throttled or 0
    bits = 0
    for moment in seen:
        bits |= (moment.throttled or 0) & 0xF
        bits |= ((moment.throttled or 0) & ~known) >> SINCE_BOOT
    named = [word for bit, word in WORDS.items() if bits >> bit & 1]
    if named:
        yield f"the firmware reported {', '.join(named)} in the run"


def _slowed_clock(series: Sequence[Conditions], limit: float) -> "Iterator[str]":
    """The fastest core's frequency: middle value of each third against the first reading of the run.

    Not against the idle device before it, whose governor had clocked down; single dips between blocks are the governor
    too.
    """
    khz = [max(c.frequency_khz.values()) for c in series if c.frequency_khz]
    if len(khz) < 2:
        return
    third = max(1, len(khz) // 3)
    low = min(median(khz[i : i + third]) for i in range(0, len(khz), third))
    drop = 1 - low / khz[0]
    if drop > limit:
        yield f"the clock fell from {khz[0] / 1000:.0f} to {low / 1000:.0f} MHz, {drop:.0%} (limit {limit:.0%})"


def _stolen(before: Conditions, after: Conditions, limit: float) -> "Iterator[str]":
    steal = _difference(before.steal_ticks, after.steal_ticks)
    total = _difference(before.total_ticks, after.total_ticks)
    if steal is None or not total or steal < _FEWEST_STEAL_TICKS:
        return
    if steal / total > limit:
        yield f"the hypervisor took {steal / total:.0%} of the CPU time (limit {limit:.0%})"


def psi_exceeded(seen: Sequence[Conditions], limits: Thresholds) -> "Iterator[str]":
    """Which limits the pressure stall information (PSI) exceeds; nothing on a kernel without it."""
    yield from _psi_above(seen, "cpu", limits.pressure_cpu)
    yield from _psi_above(seen, "memory", limits.pressure_memory)


def _psi_above(seen: Sequence[Conditions], resource: str, limit: float) -> "Iterator[str]":
    highest = max((c.pressure[resource] for c in seen if resource in c.pressure), default=0.0)
    if highest > limit:
        yield f"{resource} pressure reached {highest:g} % (PSI some avg10, limit {limit:g} %)"


def _drifted(runs: Sequence[Run], limit: float) -> "Iterator[str]":
    """The last third of the rounds against the first, over all entrants at once: the device drifts, not a model. One that
    became faster was disturbed at the beginning.

    Each block's median is taken relative to its entrant's own median, so that fast and slow entrants count alike.
    """
    by_round: dict[int, list[float]] = {}
    for run in runs:
        medians = [(b.round, median(b.latency_ns)) for b in run.blocks]
        own = median([m for _, m in medians] or [0]) or 1
        for round_, value in medians:
            by_round.setdefault(round_, []).append(value / own)
    rounds = [median(by_round[r]) for r in sorted(by_round)]
    if len(rounds) < _FEWEST_ROUNDS:
        return
    third = len(rounds) // 3
    first, last = median(rounds[:third]), median(rounds[-third:])
    names = ("last", "first") if last > first else ("first", "last")
    drift = max(first, last) / min(first, last) - 1
    if drift > limit:
        yield f"the {names[0]} third of the run was {drift:.0%} slower than the {names[1]} (limit {limit:.0%})"


def _difference(first: Optional[int], last: Optional[int]) -> Optional[int]:
    return None if first is None or last is None else last - first
