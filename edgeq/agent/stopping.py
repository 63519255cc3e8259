"""When a race has measured enough: when the report will be able to state every figure with the requested precision.

Each round has one block of every entrant and one of the reference, so each round gives one paired ratio of block
medians. What the report makes of these (edgeq/report/statistics.py: a trimmed mean of logarithms, whole rounds
resampled, Student's t) is done here too, with the very same draws and without numpy; a test holds the two together.
"""

import math
import random
from collections.abc import Mapping, Sequence
from statistics import pstdev
from typing import Optional

from edgeq.nouns.job import Limits
from edgeq.nouns.measurement import DECIDED
from edgeq.nouns.student_t import student_t

ENOUGH_ROUNDS = (
    10  # an interval of fewer is too often narrow by luck, and it is tested after every pair of rounds
)
SHORTEST_S = 2.0  # what disturbs a device comes and goes within seconds: less than this has seen none of it
RESAMPLES = 1000  # as the report, whose interval this has to be
FEWEST_ROUNDS = 4  # fewer say nothing about how rounds differ
_TRIM = 0.2
_SEED = 20_260_101

Medians = Mapping[int, float]  # ns by round


def precise_enough(
    reference: Medians, others: Sequence[Medians], control: Optional[Medians], precision: float
) -> bool:
    """Whether each ratio to the reference is known to `precision` (0.01: one percent), that of the A/A control among
    them; and whether that control, the reference entered a second time, agrees with it so far. Without others the
    median of the reference itself has to be known.
    """
    ratios = [log_ratios(entrant, reference) for entrant in (*others, *([control] if control else []))]
    alone = [math.log(max(v, 1.0)) for v in reference.values()]
    if not all(_known(logs, precision) for logs in ratios or [alone]):
        return False
    return control is None or math.expm1(abs(trimmed_mean(sorted(ratios[-1])))) < precision


def reason_to_stop(
    rounds: int,
    enough: bool,
    seconds: float,
    next_round_s: float,
    limits: Limits,
    leader: Optional[str] = None,
) -> Optional[str]:
    """Why the race ends after `rounds` rounds and `seconds`, None while it goes on. `enough`: precise enough; `leader`: the
    entrant that no other is known to beat (decided.py). How precise the figures became is not reported here: the report computes it from the raw
    samples.
    """
    long_enough = seconds >= min(SHORTEST_S, limits.seconds)
    if leader is not None and long_enough and rounds >= max(limits.min_rounds, FEWEST_ROUNDS):
        return f"{DECIDED} ({leader} leads) after {rounds} rounds and {seconds:.1f} s"
    if enough and long_enough and rounds >= max(limits.min_rounds, ENOUGH_ROUNDS):
        return f"precision ({100 * limits.precision:g} % wanted) after {rounds} rounds and {seconds:.1f} s"
    if rounds >= limits.max_rounds:
        return f"the limit of {limits.max_rounds} rounds after {seconds:.1f} s"
    if seconds + next_round_s > limits.seconds:
        return f"the limit of {limits.seconds:g} s after {rounds} rounds"
    return None


def half_width(logs: Sequence[float]) -> Optional[float]:
    """Half the relative width of the 95 % interval around exp(trimmed mean of `logs`); None below four rounds.

    Student's t with the bootstrap's standard error, as in edgeq/report/statistics.py, which has the sources.
    """
    n = len(logs)
    if n < FEWEST_ROUNDS:
        return None
    draw = random.Random(_SEED)  # the same numbers in every version of Python
    replicates = [trimmed_mean(sorted(draw.choices(logs, k=n))) for _ in range(RESAMPLES)]
    return math.expm1(student_t(0.05, n - 1) * pstdev(replicates) * math.sqrt(n / (n - 1)))


def _known(logs: Sequence[float], precision: float) -> bool:
    width = half_width(logs)
    return width is not None and width < precision


def log_ratios(entrant: Medians, reference: Medians) -> "list[float]":
    """On logarithms, so that A/B and B/A are known equally well. A clock of coarse steps may show 0."""
    return [math.log(max(entrant[r], 1.0) / max(reference[r], 1.0)) for r in entrant if r in reference]


def trimmed_mean(ordered: Sequence[float]) -> float:
    """Without the smallest and the largest fifth."""
    cut = int(_TRIM * len(ordered))
    return math.fsum(ordered[cut : len(ordered) - cut]) / (len(ordered) - 2 * cut)
