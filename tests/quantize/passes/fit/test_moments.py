"""Moments are those of all columns that the weights multiply."""

import numpy as np
import pytest

from edgeq.quantize.passes.fit.linear import Linear, Window
from edgeq.quantize.passes.fit.moments import moments_of, parts_of


def images(n, channels=2, size=6, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 1, channels, size, size)).astype(np.float32)
    return list(zip(x, x + rng.normal(scale=0.1, size=x.shape).astype(np.float32), strict=True))


def test_of_a_window_over_images():
    linear = Linear(2, Window((3, 3), (1, 1), (1, 1), ((1, 1), (1, 1))))
    pairs = images(3)
    found = moments_of(linear, pairs, 9).about_zero
    x, z = (np.concatenate([linear.columns(a) for a in side], axis=2) for side in zip(*pairs, strict=True))
    assert found.count == 3 * 36
    assert np.allclose(found.gram, z @ z.transpose(0, 2, 1) / found.count, atol=1e-5)
    assert np.allclose(found.cross, x @ z.transpose(0, 2, 1) / found.count, atol=1e-5)
    assert np.allclose(found.mean_float, x.mean(axis=2), atol=1e-6)


def test_samples_of_several_shapes_and_vectors():
    rng = np.random.default_rng(1)
    rows = [rng.normal(size=shape).astype(np.float32) for shape in [(4, 5), (4, 5), (7, 5), (5,)]]
    found = moments_of(Linear(), [(r, r) for r in rows], 5).about_zero
    everything = np.concatenate([np.atleast_2d(r) for r in rows])
    assert found.count == 16
    assert np.allclose(found.gram[0], everything.T @ everything / 16, atol=1e-5)


@pytest.mark.parametrize("mean", [1e2, 1e4])
def test_a_small_variance_beside_a_large_mean_is_kept(mean):
    """Centred moments have to be positive definite: rounding relies on it."""
    rng = np.random.default_rng(2)
    z = (mean + rng.normal(size=(4, 200, 8))).astype(np.float32)
    for part in parts_of(Linear(), [(row, row) for row in z], 8):
        assert np.allclose(part.gram[0], np.identity(8), atol=0.25)
        assert np.linalg.eigvalsh(part.gram[0]).min() > 0.5
