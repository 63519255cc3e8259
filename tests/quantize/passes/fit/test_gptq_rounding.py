"""GPTQ rounding: the other weights compensate the error of each."""

import itertools

import numpy as np
import pytest

from edgeq.quantize.passes.fit.gptq_rounding import gptq_rounded, output_error


def correlated(k, seed=0):
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(k, 200)) + 2 * rng.normal(size=(1, 200))  # correlated, as pixels are
    return z @ z.T / 200


def test_as_good_as_the_best_of_all_roundings():
    gram = correlated(6)
    weights = np.random.default_rng(1).uniform(-1, 1, size=(5, 6))
    scale = np.full(5, 0.3)
    found = output_error(weights, gptq_rounded(weights, gram, scale, -4, 3), gram, scale)
    floors = np.floor(weights / 0.3)
    best = np.full(5, np.inf)
    for up in itertools.product((-1, 0, 1, 2), repeat=6):
        q = np.clip(floors + np.array(up), -4, 3)
        best = np.minimum(best, output_error(weights, q, gram, scale))
    assert np.all(found <= 1.5 * best) and np.mean(found / best) < 1.1


@pytest.mark.parametrize(("bits", "gain"), [(8, 4), (4, 4), (2, 1.5)])
def test_beats_the_nearest_integers(bits, gain):
    """With correlated inputs the errors of the nearest integers add up; those of GPTQ cancel."""
    gram = correlated(64)
    weights = np.random.default_rng(2).normal(size=(16, 64))
    top = 2 ** (bits - 1) - 1
    scale = np.abs(weights).max(axis=1) / top
    nearest = np.clip(np.round(weights / scale[:, None]), -top - 1, top)
    gptq = gptq_rounded(weights, gram, scale, -top - 1, top)
    assert gptq.min() >= -top - 1 and gptq.max() <= top
    assert (
        gain * output_error(weights, gptq, gram, scale).sum()
        < output_error(weights, nearest, gram, scale).sum()
    )


def test_weights_on_the_grid_stay():
    gram = correlated(8)
    q = np.arange(-4, 4)[None].astype(float)
    assert np.array_equal(gptq_rounded(q * 0.1, gram, np.array([0.1]), -8, 7), q)


def test_stacked_matrices_are_rounded_as_each_alone():
    gram = np.stack([correlated(9, seed) for seed in range(5)])
    weights = np.random.default_rng(3).normal(size=(5, 4, 9))
    scale = np.random.default_rng(4).uniform(0.1, 0.4, size=(5, 4))
    together = gptq_rounded(weights, gram, scale, -8, 7)
    alone = [gptq_rounded(w, g, s, -8, 7) for w, g, s in zip(weights, gram, scale, strict=True)]
    # Not bit for bit: sums in another order decide ties otherwise.
    each = np.stack(
        [output_error(w, q, g, s) for w, q, g, s in zip(weights, alone, gram, scale, strict=True)]
    )
    assert np.allclose(output_error(weights, together, gram, scale), each, rtol=0.01)
