"""Races until one attempt was quiet: waits for a quiet device in between, within the job's limits.

All attempts together measure for `limits.seconds` and `limits.max_rounds`, and wait for as long again. One that others
disturb is broken off while there is time left to wait; the last goes to its end, for its CPU times. Nothing that was
measured is dropped. Decides nothing about which entrant is better.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Optional

from edgeq.nouns.device import Conditions
from edgeq.nouns.job import Job
from edgeq.nouns.measurement import Attempt, Run

from .conditions import read_conditions
from .contestant import Abandoned, Contestant
from .race import Series, race
from .stopping import ENOUGH_ROUNDS, SHORTEST_S
from .verdict import not_quiet, pressed

_LOOK_EVERY_S = 0.5
_NS = 1e9

Clock = Callable[[], float]
Sleep = Callable[[float], None]


def raced(
    field: Sequence[Contestant],
    job: Job,
    wanted: Callable[[], bool] = lambda: True,
    look: Callable[[], Conditions] = read_conditions,
    clock: Clock = time.monotonic,
    sleep: Sleep = time.sleep,
) -> "tuple[tuple[Attempt, ...], tuple[Conditions, ...]]":
    """The attempts, the last of them quiet where one was, and the conditions between all blocks. Only a race waits and
    tries again: a job of another kind has one attempt. Raises Abandoned soon after the job is not `wanted` any more.
    """
    made: list[Attempt] = []
    readings: list[Conditions] = []
    left, patience = job.limits, job.limits.seconds if job.kind == "race" else 0.0
    first_round = 0
    while True:
        waited = _wait(job, patience, wanted, look, sleep)
        patience -= waited
        began, before, series = clock(), look(), Series(read=look)

        def disturbed(series: Series = series, may_wait: bool = patience > 0) -> Optional[str]:
            return next(pressed(series.readings[-1:], job.thresholds), None) if may_wait else None

        seed = job.id if not made else f"{job.id}.{len(made)}"
        rounds, stopped_by = race(field, left, seed, series, first_round, disturbed)
        runs = tuple(_since(contestant.to_run(), first_round) for contestant in field)
        reasons = not_quiet(before, look(), series.readings, runs, job.thresholds)
        made.append(Attempt(first_round, rounds, int(waited * _NS), reasons, stopped_by))
        readings += series.readings
        first_round += rounds
        left = replace(
            left, seconds=left.seconds - (clock() - began), max_rounds=job.limits.max_rounds - first_round
        )
        if not reasons or patience <= 0 or left.seconds < SHORTEST_S or left.max_rounds < ENOUGH_ROUNDS:
            return tuple(made), tuple(readings)


def _wait(
    job: Job,
    patience: float,
    wanted: Callable[[], bool],
    look: Callable[[], Conditions],
    sleep: Sleep,
) -> float:
    """Seconds waited until nobody else wants the device much, at most `patience`."""
    waited = 0.0
    while waited < patience and any(pressed([look()], job.thresholds)):
        if not wanted():
            raise Abandoned
        sleep(_LOOK_EVERY_S)
        waited += _LOOK_EVERY_S
    return waited


def _since(run: Run, first_round: int) -> Run:
    return replace(run, blocks=tuple(b for b in run.blocks if b.round >= first_round))
