"""Error, agreement and the paired interval, against formulas written out naively."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edgeq.quantize.evaluate.confidence import PairedCounts
from edgeq.quantize.evaluate.sqnr import (
    agreement,
    differences,
    first_classes,
    largest_error,
    paired_counts,
    powers,
    sqnr_db,
)

floats = st.floats(-1e6, 1e6, width=32)
pairs = hnp.array_shapes(min_dims=2, max_dims=3, max_side=70).flatmap(
    lambda shape: st.tuples(
        hnp.arrays(np.float32, shape, elements=floats), hnp.arrays(np.float32, shape, elements=floats)
    )
)


@given(pairs)
def test_sqnr_is_signal_over_noise_in_decibels(pair):
    r, c = (a.astype(np.float64) for a in pair)
    noise = float(((r - c) ** 2).sum())
    found = sqnr_db(*pair)
    if noise == 0:
        assert found is None
    elif (r**2).sum() > 0:
        assert found == pytest.approx(10 * math.log10((r**2).sum() / noise), abs=1e-6)
    assert largest_error(*pair) == pytest.approx(float(np.abs(r - c).max()))


def test_what_is_not_finite_or_of_another_shape_is_the_worst_error():
    r = np.ones((2, 3), np.float32)
    assert sqnr_db(r, np.full_like(r, np.nan)) < -700
    assert sqnr_db(r, np.ones((2, 4), np.float32)) < -700
    infinite = np.array([[np.inf, 1.0]], np.float32)
    assert sqnr_db(infinite, infinite) is None


def test_equal_infinities_are_no_error_and_others_a_finite_one():
    masked = np.array([[-np.inf, 1.0, np.nan, np.inf]], np.float32)
    assert differences(masked, masked).tolist() == [[0.0] * 4]
    assert powers(masked, masked) == (1.0, 0.0)
    for other in (np.zeros_like(masked), -masked, np.full_like(masked, 1e300, np.float64)):
        assert np.isfinite(powers(masked, other)).all()
        assert powers(masked, other)[1] > 1e70
    assert np.isfinite(powers(np.full((1, 2), 1e300), np.full((1, 2), -1e300))).all()


def test_outputs_whose_shape_varies_are_compared_sample_by_sample():
    r, c = np.empty(2, object), np.empty(2, object)
    r[0], r[1] = np.ones(3), np.ones(5)
    c[0], c[1] = np.ones(3), np.full(5, 1.1)
    assert sqnr_db(r, c) == pytest.approx(10 * math.log10(8 / (5 * 0.01)), abs=1e-3)


@given(
    hnp.arrays(np.float32, (20, 7), elements=floats),
    hnp.arrays(np.float32, (20, 7), elements=floats),
    st.integers(1, 7),
)
def test_agreement_counts_floats_first_among_the_candidates_k(r, c, k):
    naive = [
        list(row).index(max(row)) in sorted(range(7), key=lambda j, o=other: -o[j])[:k]
        for row, other in zip(r.tolist(), c.tolist(), strict=True)
    ]
    assert agreement(r, c, k) == pytest.approx(100 * sum(naive) / 20)


def test_nan_never_wins():
    scores = np.array([[np.nan, 1.0, 0.0]], np.float32)
    assert first_classes(scores).tolist() == [1]


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 200))
def test_the_interval_holds_its_estimate_and_stays_within_bounds(lost, won, same):
    n = lost + won + same
    if n == 0:
        return
    float_right = np.array([True] * lost + [False] * won + [True] * same)
    candidate_right = np.array([False] * lost + [True] * won + [True] * same)
    found = paired_counts(float_right, candidate_right)
    difference, (low, high) = found.difference, found.interval(95)
    assert difference == pytest.approx(100 * (won - lost) / n)
    assert -100 <= low <= high <= 100
    if n >= 30:
        assert low - 100 / n <= difference <= high + 100 / n


def test_the_interval_of_a_worked_example():
    """b = 8, c = 2 of n = 100: (2.5 - 8.5) / 102 -+ 1.96 sqrt((11/102 - (6/102)^2) / 102)."""
    float_right = np.array([True] * 8 + [False] * 2 + [True] * 90)
    candidate_right = np.array([False] * 8 + [True] * 2 + [True] * 90)
    half = 1.959964 * math.sqrt((11 / 102 - (6 / 102) ** 2) / 102)
    found = paired_counts(float_right, candidate_right)
    assert found == PairedCounts(lost=8, won=2, samples=100)
    assert found.difference == -6.0
    assert found.interval(95) == pytest.approx((100 * (-6 / 102 - half), 100 * (-6 / 102 + half)))


def test_the_interval_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(400):
        draws = rng.random(300)
        float_right, candidate_right = draws > 0.03, (draws > 0.045) | (draws < 0.01)
        low, high = paired_counts(float_right, candidate_right).interval(95)
        hits += low <= 100 * (0.01 - 0.015) <= high
    assert 0.93 <= hits / 400 <= 0.99
