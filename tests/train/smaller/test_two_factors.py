"""Two factors lose the energy that they leave out, the least that any two of their rank lose, and ranks share one price."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeq.train.smaller.two_factors import Choice, ranks_for, spectrum, spectrum_of_outputs

DAMPING = 1e-3


def inputs(rng, count, width):
    """Correlated, as those of a trained network are."""
    return rng.normal(size=(count, width // 3 + 1)) @ rng.normal(
        size=(width // 3 + 1, width)
    ) + 0.1 * rng.normal(size=(count, width))


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 12), st.integers(2, 12), st.integers(0, 2**31), st.data())
def test_the_error_is_the_discarded_energy(outputs, width, seed, data):
    rng = np.random.default_rng(seed)
    x, weights = inputs(rng, 60, width), rng.normal(size=(outputs, width))
    covariance = np.cov(x.T, bias=True)
    rank = data.draw(st.integers(1, min(outputs, width)))
    found = spectrum(weights, covariance)
    a, b = found.factors(rank)
    assert a.shape == (outputs, rank) and b.shape == (rank, width)
    damped = covariance + DAMPING * np.trace(covariance) / width * np.identity(width)
    lost = weights - a @ b
    error, whole = (np.trace(w @ damped @ w.T) for w in (lost, weights))
    assert error == pytest.approx(found.energy[rank:].sum(), abs=1e-9 * whole)
    assert error / whole == pytest.approx(found.errors[rank], abs=1e-9)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 8), st.integers(9, 20), st.integers(0, 2**31))
def test_the_covariance_of_the_outputs_gives_the_same_factors(outputs, width, seed):
    rng = np.random.default_rng(seed)
    x, weights = inputs(rng, 60, width), rng.normal(size=(outputs, width))
    covariance = np.cov(x.T, bias=True)
    one = spectrum(weights, covariance)
    other = spectrum_of_outputs(weights, weights @ covariance @ weights.T, np.trace(covariance) / width)
    np.testing.assert_allclose(other.errors, one.errors, atol=1e-9)
    rank = outputs // 2 + 1
    a, b = one.factors(rank)
    c, d = other.factors(rank)
    np.testing.assert_allclose(c @ d, a @ b, atol=1e-6 * np.abs(weights).max())


def test_a_weight_of_low_rank_is_exact():
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(40, 5)) @ rng.normal(size=(5, 30))
    found = spectrum(weights, np.cov(inputs(rng, 100, 30).T))
    a, b = found.factors(5)
    np.testing.assert_allclose(a @ b, weights, atol=1e-10)
    assert found.errors[5] < 1e-12 < found.errors[4]


def test_it_loses_less_than_the_factors_of_the_weights_alone():
    rng = np.random.default_rng(0)
    x, weights = inputs(rng, 2000, 48), rng.normal(size=(40, 48))
    a, b = spectrum(weights, np.cov(x.T)).factors(12)
    left, values, right = np.linalg.svd(weights)
    plain = left[:, :12] * values[:12] @ right[:12]
    centred = x - x.mean(axis=0)
    lost, lost_by_plain = (np.mean(np.square(centred @ (weights - w).T)) for w in (a @ b, plain))
    assert lost < lost_by_plain / 5


def choice(energy, outputs, width, rows=1.0):
    errors = 1 - np.concatenate([[0], np.cumsum(energy)]) / np.sum(energy)
    return Choice(np.maximum(errors, 0), rows * (outputs + width), rows * outputs * width)


def test_ranks_go_to_the_layers_that_need_them():
    flat, steep = choice(np.ones(32), 32, 32), choice(0.5 ** np.arange(32), 32, 32)
    assert ranks_for([flat, steep], 2 * 32 * 32) == [None, None]
    whole, low = ranks_for([flat, steep], 1.2 * 32 * 32)
    assert whole is None and 2 <= low <= 3
    ranks = ranks_for([flat, steep], 0.8 * 32 * 32)
    assert sum(c.cost(r) for c, r in zip((flat, steep), ranks, strict=True)) <= 0.8 * 32 * 32


def test_ranks_are_the_best_of_all_on_small_layers():
    rng = np.random.default_rng(3)
    for _ in range(20):
        some = [choice(np.sort(rng.exponential(size=8))[::-1], 8, 8, rng.integers(1, 4)) for _ in range(2)]
        cost = 0.6 * sum(c.whole for c in some)
        ranks = ranks_for(some, cost)
        every = [[None, *range(1, c.most + 1)] for c in some]
        fitting = [(p, q) for p in every[0] for q in every[1] if some[0].cost(p) + some[1].cost(q) <= cost]

        def lost(pair, some=some):
            return sum(0 if r is None else c.errors[r] for c, r in zip(some, pair, strict=True))

        best, worst = min(map(lost, fitting)), max(map(lost, fitting))
        assert lost(ranks) <= best + 0.15 * (worst - best)


def test_nothing_costs_less_than_rank_one():
    assert ranks_for([choice(np.ones(8), 8, 8)], 1.0) == [1]
    assert ranks_for([choice(np.ones(1), 1, 64)], 1.0) == [None]  # two factors cost more
