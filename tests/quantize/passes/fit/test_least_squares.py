"""A layer's moments are those of all columns that its weights multiply; its integers follow from the moments alone."""

import numpy as np
import pytest

from edgeq.quantize.passes.fit.least_squares import (
    Moments,
    fit_and_check_moments,
    moments_of,
    solve,
    solve_few_levels,
)
from edgeq.quantize.passes.fit.linear import Linear, Window


def white(k, groups=1, mean=0.0):
    """Of uncorrelated inputs that quantization leaves as they are."""
    gram = np.tile(np.identity(k) + mean**2, (groups, 1, 1))
    means = np.full((groups, k), mean)
    return Moments(gram, gram, means, means, 1000)


@pytest.mark.parametrize("bits", [2, 4])
def test_few_levels_are_evenly_spaced(bits):
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


def test_the_bias_corrects_the_mean_of_the_outputs():
    weight = np.random.default_rng(2).normal(size=(1, 4, 6))
    scale, moments = np.full((1, 4), 0.3), (white(6, mean=2.0), white(6, mean=2.0))
    solution = solve(weight, np.zeros((1, 4)), moments, scale, -127, 127)
    assert solution.bias is not None
    outputs = 2.0 * (solution.integers * 0.3).sum(axis=2) + solution.bias
    assert np.allclose(outputs, 2.0 * weight.sum(axis=2))


def test_spurious_correlations_of_few_samples_are_not_exploited():
    """60 samples of 100 independent inputs."""
    rng = np.random.default_rng(3)
    z = rng.normal(size=(60, 100)).astype(np.float32)
    moments = fit_and_check_moments(Linear(), [(row[None], row[None]) for row in z], 100)
    weight = rng.normal(size=(1, 8, 100))
    scale = np.full((1, 8), 0.5)
    found = solve(weight, None, moments, scale, -8, 7).integers * 0.5
    nearest = np.clip(np.rint(weight / 0.5), -8, 7) * 0.5
    assert np.square(weight - found).mean() < 1.2 * np.square(weight - nearest).mean()


def test_weights_of_uncorrelated_inputs_are_rounded_to_nearest():
    """What rounding leaves of the difference of two sums of squares can be below zero."""
    rng = np.random.default_rng(4)
    power, other = rng.uniform(5e-5, 8e-2, size=(2, 64, 9))
    together = rng.normal(size=(64, 9, 9)) * 1e-12 * (1 - np.identity(9))
    fit, check = (together + together.swapaxes(1, 2) + p[:, None] * np.identity(9) for p in (power, other))
    means = np.zeros((64, 9))
    moments = Moments(fit, fit, means, means, 1000), Moments(check, check, means, means, 1000)
    weight = rng.normal(size=(64, 2, 9))
    found = solve(weight, None, moments, np.full((64, 2), 0.3), -127, 127).integers
    assert np.array_equal(found, np.rint(weight / 0.3))


def image_pairs(n, channels=2, size=6, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 1, channels, size, size)).astype(np.float32)
    return list(zip(x, x + rng.normal(scale=0.1, size=x.shape).astype(np.float32), strict=True))


def test_moments_of_a_window_over_images():
    linear = Linear(2, Window((3, 3), (1, 1), (1, 1), ((1, 1), (1, 1))))
    pairs = image_pairs(3)
    found = moments_of(linear, pairs, 9).uncentered
    x, z = (np.concatenate([linear.columns(a) for a in side], axis=2) for side in zip(*pairs, strict=True))
    assert found.count == 3 * 36
    assert np.allclose(found.gram, z @ z.transpose(0, 2, 1) / found.count, atol=1e-5)
    assert np.allclose(found.cross, x @ z.transpose(0, 2, 1) / found.count, atol=1e-5)
    assert np.allclose(found.mean_float, x.mean(axis=2), atol=1e-6)


def test_moments_of_samples_of_several_shapes():
    rng = np.random.default_rng(1)
    rows = [rng.normal(size=shape).astype(np.float32) for shape in [(4, 5), (4, 5), (7, 5), (5,)]]
    found = moments_of(Linear(), [(r, r) for r in rows], 5).uncentered
    everything = np.concatenate([np.atleast_2d(r) for r in rows])
    assert found.count == 16
    assert np.allclose(found.gram[0], everything.T @ everything / 16, atol=1e-5)


@pytest.mark.parametrize("mean", [1e2, 1e4])
def test_a_small_variance_next_to_a_large_mean_is_kept(mean):
    """Centred moments have to be positive definite: rounding relies on it."""
    rng = np.random.default_rng(2)
    z = (mean + rng.normal(size=(4, 200, 8))).astype(np.float32)
    for part in fit_and_check_moments(Linear(), [(row, row) for row in z], 8):
        assert np.allclose(part.gram[0], np.identity(8), atol=0.25)
        assert np.linalg.eigvalsh(part.gram[0]).min() > 0.5
