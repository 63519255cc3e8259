"""When the fastest is known."""

import math
import random

import numpy as np
import pytest

from edgeq.agent.decided import Rounds, leader
from edgeq.nouns.report import FASTER
from edgeq.report.statistics import paired_ratio
from edgeq.report.verdict import margin, noise_floor, verdict


def medians(seed, n, level=100.0, sigma=0.01):
    draw = random.Random(seed)
    return {r: level * math.exp(draw.gauss(0, sigma)) for r in range(n)}


def race(others, n=4, sigma=0.01, control=100.0):
    """Of a float model that takes 100, and `others` by their levels."""
    reference = medians(1, n, 100.0, sigma)
    entrants = {"float": reference} | {
        id: medians(10 + i, n, level, sigma) for i, (id, level) in enumerate(others.items())
    }
    return Rounds(entrants, "float", medians(2, n, control, sigma) if control else None)


@pytest.mark.parametrize(
    ("others", "found"),
    [
        ({"int8": 70.0}, "int8"),
        ({"int8": 140.0}, "float"),
        ({"dynamic": 160.0, "int8": 70.0, "litert": 95.0}, "int8"),
        ({"int8": 70.0, "litert": 70.5}, None),  # which of the two is not known
        ({"int8": 98.0}, None),
        ({}, None),
    ],
)
def test_four_rounds_tell_apart_what_differs_by_thirty_percent(others, found):
    assert leader(race(others), look=1) == found


def test_three_rounds_tell_nothing():
    assert leader(race({"int8": 50.0}, n=3), look=1) is None


def test_a_smaller_lead_takes_more_rounds():
    assert leader(race({"int8": 96.0}, n=4), look=1) is None
    assert leader(race({"int8": 96.0}, n=30), look=14) == "int8"


def test_where_two_are_within_three_percent_either_may_go_live():
    equals = {"int8": 70.0, "litert": 70.5}

    assert leader(race(equals, n=20), look=9) == "int8"
    assert leader(race(equals, n=20, sigma=0.05), look=9) is None
    assert leader(race({"int8": 99.5}, n=20), look=9) is None  # float is the baseline, not an equal


def test_a_later_look_asks_for_more():
    """The same four rounds, at the first look and at one that was preceded by others."""
    noisy = race({"int8": 80.0}, sigma=0.03)

    assert leader(noisy, look=1) == "int8"
    assert leader(noisy, look=20) is None


def test_the_lead_has_to_exceed_what_two_processes_of_one_file_differ_by():
    assert leader(race({"int8": 80.0}, control=130.0), look=1) is None
    assert leader(race({"int8": 40.0}, control=130.0), look=1) == "int8"
    assert leader(race({"int8": 40.0}, control=None), look=1) is None


def test_looking_after_every_pair_of_rounds_errs_in_fewer_than_five_of_a_hundred():
    """int8 takes 1 % less, which is no lead, and the A/A control does not differ at all."""
    wrong = 0
    for seed in range(200):
        draw = random.Random(seed)
        reference = {r: 100 * math.exp(draw.gauss(0, 0.02)) for r in range(60)}
        int8 = {r: 99 * math.exp(draw.gauss(0, 0.02)) for r in range(60)}
        for n in range(4, 60, 2):
            first = {r: reference[r] for r in range(n)}
            rounds = Rounds({"float": first, "int8": {r: int8[r] for r in range(n)}}, "float", first)
            if leader(rounds, look=n // 2 - 1) is not None:
                wrong += 1
                break
    assert 0 < wrong <= 0.05 * 200


@pytest.mark.parametrize("seed", range(12))
def test_the_report_calls_it_faster_too(seed):
    """By its own interval of the same rounds, beyond its own margin."""
    reference, int8, control = (
        medians(3 * seed + i, 6, level, 0.03) for i, level in enumerate([100, 75, 100])
    )
    rounds = Rounds({"float": reference, "int8": int8}, "float", control)

    ratio, aa = (paired_ratio([np.array([v]) for v in m.values()], [np.array([v]) for v in reference.values()])
                 for m in (int8, control))  # fmt: skip

    if leader(rounds, look=2) == "int8":
        assert verdict(ratio, margin(noise_floor(aa))) == FASTER
