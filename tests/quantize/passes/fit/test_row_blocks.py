"""Rows cut into blocks come back as they were, and are fitted to nearly the same integers."""

import numpy as np
import pytest

from edgeq.quantize.passes.fit.least_squares import fit_and_check_moments, solve
from edgeq.quantize.passes.fit.linear import Linear
from edgeq.quantize.passes.fit.row_blocks import blocks_of, whole_rows


@pytest.mark.parametrize(("k", "count", "size"), [(9, 1, 9), (288, 1, 288), (289, 2, 145), (4608, 16, 288)])
def test_the_fewest_blocks_of_one_size(k, count, size):
    blocks = blocks_of(k, 288)
    assert (blocks.count, blocks.size) == (count, size)


@pytest.mark.parametrize("k", [100, 300, 577])
def test_cut_rows_are_joined_again(k):
    weight = np.arange(2 * 3 * k).reshape(2, 3, k)
    blocks = blocks_of(k, 288)
    parts = blocks.cut(weight, 2)
    assert parts.shape == (2 * blocks.count, 3, blocks.size)
    assert np.array_equal(blocks.joined(parts), weight)


def correlated(samples, k, seed):
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(k, k)) * np.exp(-np.abs(np.subtract.outer(np.arange(k), np.arange(k))) / 4)
    return (1.0 + rng.normal(size=(samples, 16, k)) @ mixing).astype(np.float32)


def test_blocks_lose_little_where_distant_inputs_are_unrelated():
    """Inputs are related to their neighbours, so all but the borders of two blocks of 200 is the same."""
    k = 400
    x = correlated(200, k, seed=0)
    weight = np.random.default_rng(1).normal(size=(1, 16, k))
    scale, bias = np.full((1, 16), 0.5), np.zeros((1, 16))
    error = {}
    for blocks in (whole_rows(k), blocks_of(k, 288)):
        moments = fit_and_check_moments(Linear(), [(row, row) for row in x], k, blocks)
        found = solve(weight, bias, moments, scale, -8, 7, blocks)
        change = x @ (found.integers[0] * 0.5 - weight[0]).T + found.bias[0]
        error[blocks.count] = float(np.square(change).mean())
    nearest = x @ (np.clip(np.rint(weight[0] / 0.5), -8, 7) * 0.5 - weight[0]).T
    assert error[2] < 1.2 * error[1] < 0.6 * float(np.square(nearest - nearest.mean(axis=(0, 1))).mean())
