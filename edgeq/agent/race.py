"""Rounds of blocks: who runs when, and when it is enough.

Each round has one block of every entrant, in an order drawn at random; the next round runs it backwards (A B C, C B A),
so that a drift of the device affects all alike; after each such pair the stopping rule is evaluated. The order
comes from the job's id: the same job races the same way.
"""

import contextlib
import json
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Optional

from edgeq.nouns.device import Conditions
from edgeq.nouns.job import Limits
from edgeq.nouns.measurement import CONTROL

from .active_entrant import ActiveEntrant
from .conditions import read_conditions
from .decided import Rounds, leader
from .stopping import FEWEST_ROUNDS, precise_enough, reason_to_stop

_SERIES_EVERY_S = 1.0
_SERIES_LONGEST = 120


def race(
    entrants: Sequence[ActiveEntrant],
    limits: Limits,
    seed: str,
    series: "Series",
    first_round: int = 0,
    disturbed: "Callable[[], Optional[str]]" = lambda: None,
    may_break_off: bool = True,
) -> "tuple[int, str]":
    """Runs rounds, numbered from `first_round`, until it is enough: how many, and the words why. The reference is the
    first that is still in the race. `disturbed` is asked after each pair of rounds what other load there is: the race is
    broken off then, or, where it may not be, goes on for its CPU times.
    """
    start = time.monotonic()
    rounds_begun = 0
    for round_, order in enumerate(orders(len(entrants), seed)):
        began = time.monotonic()
        rounds_begun = round_ + 1
        for place, index in enumerate(order):
            if entrants[index].alive:
                entrants[index].run_block(first_round + round_, place)
            series.look()
        left = [c for c in entrants if c.alive]
        if not left:
            break
        now = time.monotonic()
        _print_progress(rounds_begun, limits, now - start)
        in_pairs = rounds_begun % 2 == 0
        reason = disturbed() if in_pairs else None
        if reason is not None and may_break_off:
            return rounds_begun, reason
        best = _leader(left, first_round) if limits.decided and in_pairs and reason is None else None
        enough = best is None and in_pairs and _enough(left, limits.precision, first_round)
        reason = reason_to_stop(rounds_begun, enough, now - start, now - began, limits, best)
        if reason is not None:
            return rounds_begun, reason
    return rounds_begun, f"no candidate is left after {rounds_begun} rounds"


def orders(count: int, seed: str) -> "Iterator[list[int]]":
    """Orders of 0..count-1 without end, each second one the reverse of the one before."""
    draw = random.Random(seed)
    while True:
        order = draw.sample(range(count), count)
        yield order
        yield order[::-1]


@dataclass
class Series:
    """Conditions about once a second, taken between blocks. When full, every second one goes and the pace halves."""

    readings: "list[Conditions]" = field(default_factory=list)
    read: "Callable[[], Conditions]" = lambda: read_conditions()
    _every_s: float = _SERIES_EVERY_S
    _next: float = 0.0

    def look(self) -> None:
        if time.monotonic() < self._next:
            return
        self.readings.append(self.read())
        if len(self.readings) >= _SERIES_LONGEST:
            self.readings = self.readings[::2]
            self._every_s *= 2
        self._next = time.monotonic() + self._every_s


def _leader(left: Sequence[ActiveEntrant], first_round: int) -> Optional[str]:
    """Asked after every pair of rounds; those of earlier attempts count as looks too."""
    rounds = _rounds(left, first_round)
    done = first_round + len(rounds.entrants[rounds.reference])
    return leader(rounds, look=done // 2 - 1) if done >= FEWEST_ROUNDS else None


def _enough(left: Sequence[ActiveEntrant], precision: float, first_round: int) -> bool:
    rounds = _rounds(left, first_round)
    others_ns = [medians for id, medians in rounds.entrants.items() if id != left[0].id]
    return precise_enough(rounds.entrants[rounds.reference], others_ns, rounds.control, precision)


def _rounds(left: Sequence[ActiveEntrant], first_round: int) -> Rounds:
    """Those from `first_round` on."""
    control_id = left[0].id + CONTROL
    medians = {c.id: {r: ns for r, ns in c.medians_ns.items() if r >= first_round} for c in left}
    entrants = {id: ns for id, ns in medians.items() if id != control_id}
    return Rounds(entrants, left[0].id, medians.get(control_id))


def _print_progress(round_: int, limits: Limits, seconds: float) -> None:
    """A line for the host's progress bar."""
    progress = {"round": round_, "of": limits.max_rounds, "seconds": round(seconds, 3)}
    # A host that hung up does not end the measurement: its result is stored and can be fetched later.
    with contextlib.suppress(OSError, ValueError):
        print(json.dumps({"progress": progress}), file=sys.stderr, flush=True)
