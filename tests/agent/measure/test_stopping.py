"""When enough is enough."""

import math
import random

import numpy as np
import pytest

from edgeq.agent.stopping import half_width, precise_enough, reason_to_stop
from edgeq.nouns.job import Limits
from edgeq.report import statistics
from edgeq.report.verdict import noise_floor

WANTED = 0.01


def rounds(values):
    return dict(enumerate(values))


def noisy(seed, n, sigma, level=100.0, disturbed=0.0):
    """Block medians: a share of `disturbed` took a tenth longer, as beside a neighbour that comes and goes."""
    draw = random.Random(seed)
    return rounds(
        level * math.exp(draw.gauss(0, sigma)) * (1.1 if draw.random() < disturbed else 1.0) for _ in range(n)
    )


@pytest.mark.parametrize("disturbed", [0.0, 0.25])
@pytest.mark.parametrize("n", [4, 10, 20, 60])
def test_the_race_ends_by_the_interval_that_the_report_states(n, disturbed):
    one, other = noisy(n, n, 0.01, disturbed=disturbed), noisy(-n, n, 0.01, level=50.0)
    stated = statistics.paired_ratio(
        [np.array([v]) for v in one.values()], [np.array([v]) for v in other.values()]
    )

    asked = half_width([math.log(one[r] / other[r]) for r in one])

    assert asked == pytest.approx(stated.high / stated.value - 1, rel=1e-9)


def test_three_rounds_have_no_interval():
    assert half_width([0.0, 0.0, 0.0]) is None
    assert not precise_enough(rounds([100.0] * 3), [rounds([50.0] * 3)], None, WANTED)


def test_a_disturbed_quarter_of_the_rounds_is_not_voted_away():
    """The ranks around the median of these ratios lie within half a percent, and 5 % is what is known."""
    calm, disturbed = noisy(1, 17, 0.001), noisy(2, 17, 0.001, disturbed=0.25)

    assert precise_enough(calm, [noisy(2, 17, 0.001)], None, WANTED)
    assert not precise_enough(calm, [disturbed], None, WANTED)


def test_what_slows_both_alike_leaves_the_ratio_sharp():
    drift = [1000, 1200, 1500, 1100, 2000, 900, 1300, 1700]

    assert precise_enough(rounds(drift), [rounds(d * 0.5 for d in drift)], None, WANTED)
    assert not precise_enough(rounds(drift), [], None, WANTED)  # alone, its own median is what is asked for


def test_the_least_precise_entrant_decides():
    reference, steady, shaky = noisy(1, 20, 0.002), noisy(2, 20, 0.002), noisy(3, 20, 0.05)

    assert precise_enough(reference, [steady], None, WANTED)
    assert not precise_enough(reference, [steady, shaky], None, WANTED)


def test_the_control_has_to_be_known_and_to_agree():
    reference, entrant = noisy(1, 20, 0.002), noisy(2, 20, 0.002, level=50.0)
    sharp, shaky, biased = (noisy(3, 20, 0.002), noisy(3, 20, 0.05), noisy(3, 20, 0.002, level=103.6))

    assert precise_enough(reference, [entrant], sharp, WANTED)
    assert not precise_enough(reference, [entrant], shaky, WANTED)
    assert not precise_enough(reference, [entrant], biased, WANTED)
    floor = statistics.paired_ratio(
        [np.array([v]) for v in biased.values()], [np.array([v]) for v in reference.values()]
    )
    assert noise_floor(floor) == pytest.approx(0.036, abs=0.002)


def test_rounds_pair_even_where_one_was_missed():
    late = {r: 50.0 for r in range(3, 10)}

    assert precise_enough(rounds([100.0] * 10), [late], None, WANTED)


def test_stopping_at_the_first_sight_of_precision_keeps_what_was_promised():
    """Races of 1.00x that look after every second round and stop once they are precise: the interval still holds 1."""
    held = 0
    for seed in range(150):
        draw = random.Random(seed)
        logs = [draw.gauss(0, 0.018) + (0.05 if draw.random() < 0.05 else 0.0) for _ in range(60)]
        n = next((n for n in range(10, 60, 2) if half_width(logs[:n]) < WANTED), 60)
        middle = sorted(logs[:n])[n // 5 : n - n // 5]
        held += abs(math.fsum(middle) / len(middle)) < math.log1p(half_width(logs[:n]))
    assert held >= 0.92 * 150


LIMITS = Limits(seconds=30, precision=0.01, min_rounds=4, max_rounds=60)


@pytest.mark.parametrize(
    ("rounds", "enough", "seconds", "expected"),
    [
        (8, True, 5.0, None),  # ten rounds at least
        (20, True, 0.4, None),  # two seconds at least
        (10, True, 5.0, "precision (1 % wanted) after 10 rounds and 5.0 s"),
        (20, False, 12.0, None),
        (20, False, 29.5, "the limit of 30 s after 20 rounds"),
        (60, False, 20.0, "the limit of 60 rounds after 20.0 s"),
    ],
)
def test_reasons_to_stop(rounds, enough, seconds, expected):
    assert reason_to_stop(rounds, enough, seconds, next_round_s=1.0, limits=LIMITS) == expected


def test_a_race_that_may_not_take_two_seconds_need_not():
    assert reason_to_stop(10, True, 0.5, 0.01, Limits(seconds=0.5)).startswith("precision")
