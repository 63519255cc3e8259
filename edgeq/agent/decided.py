"""When a race has decided: no other entrant than one can be the fastest, or be more than 3 % faster, whatever the next rounds bring.

This is asked after every pair of rounds, so each look may err with a part of 5 % only: look k with 5 % / (k (k + 1)), whose sum
over all looks is 5 %, however many there are (error spending: Lan and DeMets 1983, Biometrika 70; that the parts may be
added is Bonferroni's inequality, which needs no independence of the looks). At each look the bound is that of Student's t on the
mean logarithm of the paired ratios, exact for normal ones; one disturbed round widens it. What the report will say of the
same rounds, by its own interval (stopping.py), has to agree.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Optional

from edgeq.nouns.measurement import SMALLEST_DIFFERENCE, WORST_RATIO
from edgeq.nouns.student_t import student_t

from .stopping import FEWEST_ROUNDS, Medians, half_width, log_ratios, trimmed_mean

_ERROR = 0.05


@dataclass(frozen=True)
class Rounds:
    """What the entrants took, by their ids; `control` is the A/A control of `reference`, which is one of them."""

    entrants: Mapping[str, Medians]
    reference: str
    control: Optional[Medians]


def leader(rounds: Rounds, look: int) -> Optional[str]:
    """The entrant that is known to be the fastest, at the `look`-th time (from 1) that this is asked in a race; None while
    none is, and where there is no A/A control. Its lead over each other exceeds 1 % and all that the A/A difference may be;
    where neither is the reference, it is enough that the two are known to be within 3 %: either may go live then.
    """
    if rounds.control is None or len(rounds.entrants) < 2:
        return None
    reference = rounds.entrants[rounds.reference]
    aa = log_ratios(rounds.control, reference)
    if len(aa) < FEWEST_ROUNDS:
        return None
    first = min(rounds.entrants, key=lambda id: _mean(log_ratios(rounds.entrants[id], reference)))
    beyond = _as_lead(max(SMALLEST_DIFFERENCE, math.expm1(abs(fmean(aa)) + _reach(aa, look))))
    floor = _as_lead(max(SMALLEST_DIFFERENCE, math.expm1(abs(trimmed_mean(sorted(aa))))))
    for id in rounds.entrants.keys() - {first}:
        logs = log_ratios(rounds.entrants[id], rounds.entrants[first])
        may_be_equal = rounds.reference not in (id, first)
        if not _is_behind(logs, look, beyond, floor) and not (may_be_equal and _is_equal(logs, look)):
            return None
    return first


def _is_behind(logs: Sequence[float], look: int, beyond: float, floor: float) -> bool:
    """By more than `beyond`, and for the report by more than `floor`."""
    enough = len(logs) >= FEWEST_ROUNDS
    return enough and fmean(logs) - _reach(logs, look) > beyond and _is_reported(logs, floor)


def _is_equal(logs: Sequence[float], look: int) -> bool:
    return len(logs) >= FEWEST_ROUNDS and abs(fmean(logs)) + _reach(logs, look) < math.log(WORST_RATIO)


def _reach(logs: Sequence[float], look: int) -> float:
    """From the mean of `logs` to the end of its interval."""
    return student_t(_ERROR / (look * (look + 1)), len(logs) - 1) * stdev(logs) / math.sqrt(len(logs))


def _is_reported(logs: Sequence[float], floor: float) -> bool:
    """Whether the report's verdict will be `faster`."""
    width = half_width(logs)
    return width is not None and trimmed_mean(sorted(logs)) - math.log1p(width) > floor


def _as_lead(difference: float) -> float:
    """How far apart the logarithms are of two durations, the shorter of which takes `difference` less than the other."""
    return -math.log1p(-difference) if difference < 1 else math.inf


def _mean(logs: Sequence[float]) -> float:
    return fmean(logs) if logs else math.inf
