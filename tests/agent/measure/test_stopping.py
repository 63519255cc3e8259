"""When enough is enough."""

import random
from statistics import median

import pytest

from edgeq.agent.stopping import half_width, median_interval, reason_to_stop, worst_half_width
from edgeq.nouns.job import Limits


@pytest.mark.parametrize(
    ("n", "ranks"),
    # Le Boudec, Performance Evaluation, appendix A, table of 95 % intervals for the median.
    [(6, (1, 6)), (10, (2, 9)), (20, (6, 15)), (30, (10, 21)), (50, (18, 32)), (60, (22, 39))],
)
def test_ranks_of_the_interval(n, ranks):
    low, high = median_interval(range(1, n + 1))

    assert (low, high) == ranks or (low, n + 1 - high) == (ranks[0], ranks[0])


def test_five_values_bound_no_median_with_95_percent():
    assert median_interval([1, 2, 3, 4, 5]) is None


@pytest.mark.parametrize("n", [6, 9, 15, 40])
def test_the_interval_covers_the_median_as_often_as_it_says(n):
    draw, hits, trials = random.Random(n), 0, 2000
    for _ in range(trials):
        low, high = median_interval([draw.lognormvariate(0.0, 1.0) for _ in range(n)])
        hits += low <= 1.0 <= high
    assert hits / trials > 0.94


def test_what_slows_both_alike_leaves_the_ratio_sharp():
    drift = [1000, 1200, 1500, 1100, 2000, 900, 1300, 1700]

    assert half_width([d * 0.5 for d in drift], drift) == pytest.approx(0.0, abs=1e-12)
    assert half_width(drift) > 0.2
    assert median(drift) == 1250


def test_the_least_precise_entrant_decides():
    reference = {r: 100.0 for r in range(10)}
    steady = {r: 50.0 for r in range(10)}
    shaky = {r: 50.0 + r for r in range(10)}

    assert worst_half_width([reference, steady]) == pytest.approx(0.0)
    assert worst_half_width([reference, steady, shaky]) == half_width(list(shaky.values()))


def test_rounds_pair_even_where_one_was_missed():
    reference = {r: 100.0 for r in range(10)}
    late = {r: 50.0 for r in range(3, 10)}

    assert worst_half_width([reference, late]) == pytest.approx(0.0)


LIMITS = Limits(seconds=30, precision=0.01, min_rounds=8, max_rounds=60)


@pytest.mark.parametrize(
    ("rounds", "precision", "seconds", "expected"),
    [
        (7, 0.004, 5.0, None),
        (8, 0.004, 5.0, "precision: ratios known to ±0.4%, 1.0% wanted, after 8 rounds and 5.0 s"),
        (20, 0.02, 12.0, None),
        (20, 0.02, 29.5, "the limit of 30 s: ratios known to ±2.0% after 20 rounds"),
        (3, None, 29.5, "the limit of 30 s: too few rounds for an interval after 3 rounds"),
        (60, 0.02, 20.0, "the limit of 60 rounds: ratios known to ±2.0% after 20.0 s"),
    ],
)
def test_reasons_to_stop(rounds, precision, seconds, expected):
    assert reason_to_stop(rounds, precision, seconds, next_round_s=1.0, limits=LIMITS) == expected
