"""Codebooks: the best ones there are, against every other division of a few values, and their refinement."""

from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeq.errors import TargetRefused
from edgeq.quantize.numerics.best_scale import squared_error
from edgeq.quantize.numerics.codebook import fitted, fitted_shared
from edgeq.quantize.numerics.few_integers import fitted as integers


def least_error(values: list[float], count: int) -> float:
    """Of all divisions of the sorted values into runs."""
    w = np.sort(np.array(values, np.float64))

    def error(ends: tuple[int, ...]) -> float:
        bounds = [0, *ends, len(w)]
        runs = [w[a:b] for a, b in pairwise(bounds)]
        return sum(float(np.square(run - run.mean()).sum()) for run in runs)

    return min(error(ends) for ends in combinations(range(1, len(w)), count - 1))


@settings(deadline=None, derandomize=True, max_examples=60)
@given(st.lists(st.integers(-1000, 1000), min_size=5, max_size=12), st.sampled_from([1, 2]))
def test_no_other_division_has_less_error(values: list[int], bits: int) -> None:
    w = np.array(values, np.float32)
    found = squared_error(w, fitted(w, bits, None)) * len(w)
    assert found <= least_error(values, 1 << bits) + 1e-6 * float(np.square(w).sum())


def test_few_values_are_kept_as_they_are() -> None:
    w = np.array([[0.5, -3.0, 0.5, 0.25], [1, 1, 1, 1]], np.float32)
    np.testing.assert_allclose(fitted(w, 2, 0).round_trip(w), w, rtol=1e-6)


def test_many_values_are_refined_to_the_means_of_what_is_nearest() -> None:
    w = np.random.default_rng(0).laplace(size=50_000)
    book = fitted(w, 3, None)
    chosen = book.nearest(w)
    means = np.array([w[chosen == k].mean() for k in range(8)])
    np.testing.assert_allclose(book.values(np.arange(8)), means, atol=0.02)


@pytest.mark.parametrize("bits", [2, 3, 4])
def test_it_loses_less_than_integers_of_as_many_bits(bits: int) -> None:
    w = np.random.default_rng(1).laplace(size=(8, 400)) * np.linspace(0.1, 3, 8)[:, None]
    own, shared, uniform = (
        squared_error(w, f) for f in (fitted(w, bits, 0), fitted_shared(w, bits, 0), integers(w, bits, 0))
    )
    assert own < shared < uniform


def test_on_int8_a_level_moves_by_one_part_in_254() -> None:
    w = np.random.default_rng(2).normal(size=(16, 100))
    book = fitted(w, 4, 0)
    expanded = book.expanded_to_int8()
    assert 0 < expanded.error <= float(book.scale.max()) / 254 * 1.001
    assert squared_error(w, expanded.levels) < 1.05 * squared_error(w, book)


def test_other_bits_are_refused() -> None:
    with pytest.raises(TargetRefused, match="no codebook of 5 bits"):
        fitted(np.ones(3), 5, None)
