"""One layer's integers, from the moments of its inputs alone."""

import numpy as np
import pytest

from edgeq.quantize.passes.fit.least_squares import solve, solve_few_levels
from edgeq.quantize.passes.fit.linear import Linear
from edgeq.quantize.passes.fit.moments import Moments, parts_of


def white(k, groups=1, mean=0.0):
    """Of inputs that have nothing to do with each other, and come through unchanged."""
    gram = np.tile(np.identity(k) + mean**2, (groups, 1, 1))
    means = np.full((groups, k), mean)
    return Moments(gram, gram, means, means, 1000)


@pytest.mark.parametrize("bits", [2, 4])
def test_few_levels_are_so_many_evenly_spaced_ones(bits):
    weight = np.random.default_rng(0).normal(size=(3, 5, 200))
    solution = solve_few_levels(weight, None, (white(200, 3), white(200, 3)), bits)
    assert np.abs(solution.integers).max() <= 127
    for row in solution.integers.reshape(-1, 200):
        steps = np.diff(np.unique(row)).astype(int)
        assert len(steps) < 2**bits
        assert np.gcd.reduce(steps) == 2 ** (7 - bits)


def test_levels_lie_where_the_weights_are():
    """All weights of one sign waste half of the levels about zero."""
    weight = np.random.default_rng(1).uniform(0.5, 1.0, size=(1, 4, 100))
    solution = solve_few_levels(weight, None, (white(100), white(100)), 4)
    error = weight - solution.integers * solution.scale[..., None]
    about_zero = weight - np.round(weight * 7) / 7
    assert 9 * np.square(error).mean() < np.square(about_zero).mean()


def test_the_bias_takes_up_what_the_mean_of_the_inputs_leaves():
    weight = np.random.default_rng(2).normal(size=(1, 4, 6))
    scale, parts = np.full((1, 4), 0.3), (white(6, mean=2.0), white(6, mean=2.0))
    solution = solve(weight, np.zeros((1, 4)), parts, scale, -127, 127)
    assert solution.bias is not None
    outputs = 2.0 * (solution.integers * 0.3).sum(axis=2) + solution.bias
    assert np.allclose(outputs, 2.0 * weight.sum(axis=2))


def test_few_samples_are_not_leaned_on():
    """Inputs that only seem to go together, in 60 samples of 100 unrelated ones, will not make up for each other."""
    rng = np.random.default_rng(3)
    z = rng.normal(size=(60, 100)).astype(np.float32)
    parts = parts_of(Linear(), [(row[None], row[None]) for row in z], 100)
    weight = rng.normal(size=(1, 8, 100))
    scale = np.full((1, 8), 0.5)
    found = solve(weight, None, parts, scale, -8, 7).integers * 0.5
    nearest = np.clip(np.rint(weight / 0.5), -8, 7) * 0.5
    assert np.square(weight - found).mean() < 1.2 * np.square(weight - nearest).mean()


def test_inputs_that_have_next_to_nothing_to_do_with_each_other_are_rounded_each_by_itself():
    """What rounding leaves of the difference of two sums of squares can be below zero."""
    rng = np.random.default_rng(4)
    power, other = rng.uniform(5e-5, 8e-2, size=(2, 64, 9))
    together = rng.normal(size=(64, 9, 9)) * 1e-12 * (1 - np.identity(9))
    fit, check = (together + together.swapaxes(1, 2) + p[:, None] * np.identity(9) for p in (power, other))
    means = np.zeros((64, 9))
    parts = Moments(fit, fit, means, means, 1000), Moments(check, check, means, means, 1000)
    weight = rng.normal(size=(64, 2, 9))
    found = solve(weight, None, parts, np.full((64, 2), 0.3), -127, 127).integers
    assert np.array_equal(found, np.rint(weight / 0.3))
