"""Races until one attempt was quiet: waits for a quiet device in between, within the job's limits.

All attempts together measure for `limits.seconds` and `limits.max_rounds`, and wait for as long again. An attempt
that other load disturbs is interrupted while there is time left to wait; the last one runs to its end, for its CPU times.
Nothing that was measured is dropped. Decides nothing about which entrant is better.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Optional

from edgeq.nouns.device import Conditions
from edgeq.nouns.job import Job
from edgeq.nouns.measurement import Attempt, Run

from .active_entrant import Abandoned, ActiveEntrant
from .conditions import read_conditions
from .race import Series, race
from .stopping import ENOUGH_ROUNDS, SHORTEST_S
from .verdict import not_quiet, psi_exceeded

_LOOK_EVERY_S = 0.5
_NS = 1e9

Clock = Callable[[], float]
Sleep = Callable[[float], None]


def raced(
    entrants: Sequence[ActiveEntrant],
    job: Job,
    is_cancelled: Callable[[], bool] = lambda: False,
    look: Callable[[], Conditions] = read_conditions,
    clock: Clock = time.monotonic,
    sleep: Sleep = time.sleep,
) -> "tuple[tuple[Attempt, ...], tuple[Conditions, ...]]":
    """The attempts, the last of them quiet where one was, and the conditions between all blocks. Only a race waits and
    tries again: a job of another kind has one attempt. Raises Abandoned soon after the job `is_cancelled`.
    """
    made: list[Attempt] = []
    readings: list[Conditions] = []
    left, wait_left_s = job.limits, job.limits.seconds if job.kind == "race" else 0.0
    first_round = 0
    while True:
        waited = _wait(job, wait_left_s, is_cancelled, look, sleep)
        wait_left_s -= waited
        began, before, series = clock(), look(), Series(read=look)

        def disturbed(series: Series = series) -> Optional[str]:
            return next(psi_exceeded(series.readings[-1:], job.thresholds), None)

        seed = job.id if not made else f"{job.id}.{len(made)}"
        rounds, stopped_by = race(
            entrants, left, seed, series, first_round, disturbed, may_break_off=wait_left_s > 0
        )
        runs = tuple(_since(entrant.to_run(), first_round) for entrant in entrants)
        reasons = not_quiet(before, look(), series.readings, runs, job.thresholds)
        made.append(Attempt(first_round, rounds, int(waited * _NS), reasons, stopped_by))
        readings += series.readings
        first_round += rounds
        left = replace(
            left, seconds=left.seconds - (clock() - began), max_rounds=job.limits.max_rounds - first_round
        )
        if not reasons or wait_left_s <= 0 or left.seconds < SHORTEST_S or left.max_rounds < ENOUGH_ROUNDS:
            return tuple(made), tuple(readings)


def _wait(
    job: Job,
    wait_left_s: float,
    is_cancelled: Callable[[], bool],
    look: Callable[[], Conditions],
    sleep: Sleep,
) -> float:
    """Seconds waited, at most `wait_left_s`, until the pressure (PSI) is below its limits."""
    waited = 0.0
    while waited < wait_left_s and any(psi_exceeded([look()], job.thresholds)):
        if is_cancelled():
            raise Abandoned
        sleep(_LOOK_EVERY_S)
        waited += _LOOK_EVERY_S
    return waited


def _since(run: Run, first_round: int) -> Run:
    return replace(run, blocks=tuple(b for b in run.blocks if b.round >= first_round))
