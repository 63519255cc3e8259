"""When a race has measured enough.

Each round gives every entrant one block beside one of the reference, so each round gives one paired ratio of block
medians. The interval of the median of these ratios needs no assumption on their distribution.
"""

import math
from collections.abc import Sequence
from statistics import median
from typing import Optional

from edgeq.nouns.job import Limits

CONFIDENCE = 0.95


def median_interval(values: Sequence[float]) -> "Optional[tuple[float, float]]":
    """Order-statistic interval of the median, at least 95 %: [x(k), x(n+1-k)] with the largest k for which
    P(Binomial(n, 1/2) < k) <= 2.5 %. None below 6 values, where even [min, max] covers less.

    Hahn and Meeker, Statistical Intervals (1991), section 5.2; Le Boudec, Performance Evaluation of Computer and
    Communication Systems (2010), theorem 2.1.
    """
    n = len(values)
    below, k = 0.5**n, 0
    while below <= (1 - CONFIDENCE) / 2:
        k += 1
        below += math.comb(n, k) * 0.5**n
    if k == 0:
        return None
    ordered = sorted(values)
    return ordered[k - 1], ordered[n - k]


def half_width(
    values_ns: Sequence[float], reference_ns: "Optional[Sequence[float]]" = None
) -> Optional[float]:
    """Half the relative width of the interval of the median, 0.01 being one percent; None with too few rounds.

    With `reference_ns`, of the paired ratios values/reference, round by round; without, of the values themselves. On
    logarithms, so that A/B and B/A are known equally well.
    """
    logs = [math.log(max(v, 1.0)) for v in values_ns]  # a clock of coarse steps may show 0
    if reference_ns is not None:
        logs = [v - math.log(max(r, 1.0)) for v, r in zip(logs, reference_ns)]
    interval = median_interval(logs)
    return None if interval is None else math.expm1((interval[1] - interval[0]) / 2)


def worst_half_width(medians_ns: "Sequence[dict[int, float]]") -> Optional[float]:
    """The least precise of all entrants; None while one is unknown. `medians_ns` holds per entrant its block medians by
    round, the reference first; an entrant alone is judged by its own medians.
    """
    reference = medians_ns[0]
    if len(medians_ns) == 1:
        return half_width(list(reference.values()))
    widths = []
    for entrant in medians_ns[1:]:
        rounds = [r for r in entrant if r in reference]
        widths.append(half_width([entrant[r] for r in rounds], [reference[r] for r in rounds]))
    return None if any(w is None for w in widths) else max(w for w in widths if w is not None)


def reason_to_stop(
    rounds: int, precision: Optional[float], seconds: float, next_round_s: float, limits: Limits
) -> Optional[str]:
    """Why the race ends after `rounds` rounds and `seconds`, None while it goes on.

    The precision is looked at after each round, which stops a little too early a little too often: the interval that is
    reported is computed afresh from the raw samples, by block bootstrap.
    """
    known = "too few rounds for an interval" if precision is None else f"ratios known to ±{precision:.1%}"
    if precision is not None and precision < limits.precision and rounds >= limits.min_rounds:
        return f"precision: {known}, {limits.precision:.1%} wanted, after {rounds} rounds and {seconds:.1f} s"
    if rounds >= limits.max_rounds:
        return f"the limit of {limits.max_rounds} rounds: {known} after {seconds:.1f} s"
    if seconds + next_round_s > limits.seconds:
        return f"the limit of {limits.seconds:g} s: {known} after {rounds} rounds"
    return None


def block_medians(blocks: "Sequence[tuple[int, Sequence[int]]]") -> "dict[int, float]":
    """{round: median ns} of (round, latencies) pairs."""
    return {round_: float(median(latency)) for round_, latency in blocks}
