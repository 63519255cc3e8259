"""Weights on levels that are not uniform: rounded by the outputs' error, and the levels fitted to what was rounded to them."""

import numpy as np
import pytest

from edgeq.nouns.weight_levels import APOT, BINARY, CODEBOOK, TERNARY
from edgeq.quantize.numerics.level_kinds import other_levels
from edgeq.quantize.passes.fit.gptq_rounding import gptq_to_levels, output_error
from edgeq.quantize.passes.fit.level_sets import on_levels_of

KINDS = [(APOT, 4), (APOT, 3), (CODEBOOK, 4), (CODEBOOK, 2), (CODEBOOK, 1), (TERNARY, 2), (BINARY, 1)]


def inputs_and_weights(k=72, rows=24):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2000, k)) @ (np.eye(k) + rng.normal(size=(k, k)) / 4)  # some say what others say
    return (x.T @ x / len(x))[None], rng.laplace(size=(1, rows, k))


@pytest.mark.parametrize(("kind", "bits"), KINDS)
def test_outputs_are_closer_than_with_the_nearest_levels(kind, bits):
    """By 1.5 dB at least, with the levels of least squared error of the weights."""
    gram, weights = inputs_and_weights()
    integers, scale = on_levels_of(kind, 127)(weights, gram, bits)
    assert all(len(np.unique(row)) <= 2**bits for row in integers[0])
    nearest = other_levels(weights[0], kind, bits, 0)
    rounded = nearest(nearest.levels.nearest(weights[0]))[None].astype(float)
    before = output_error(weights, rounded, gram, nearest.scale[None].astype(float)).mean()
    assert output_error(weights, integers, gram, scale).mean() < before / 10**0.15


def test_where_no_input_makes_up_for_another_nothing_is_lost():
    _, weights = inputs_and_weights()
    gram = np.eye(72)[None]
    integers, scale = on_levels_of(CODEBOOK, 127)(weights, gram, 3)
    nearest = other_levels(weights[0], CODEBOOK, 3, 0)
    before = np.square(weights[0] - nearest.levels.round_trip(weights[0])).mean()
    assert np.square(weights - integers * scale[..., None]).mean() < 1.01 * before


def test_powers_of_two_stay_powers_of_two():
    gram, weights = inputs_and_weights()
    integers, _ = on_levels_of(APOT, 127)(weights, gram, 3)
    assert set(np.unique(integers)) == {-4, -2, -1, 0, 1, 2, 4}


def test_a_codebook_has_no_larger_integers_than_are_asked_for():
    gram, weights = inputs_and_weights()
    integers, _ = on_levels_of(CODEBOOK, 64)(weights, gram, 3)
    assert 32 < np.abs(integers).max() <= 64


def test_weights_on_levels_are_found_again():
    """Also where each row has levels of its own."""
    rng = np.random.default_rng(1)
    gram, _ = inputs_and_weights()
    levels = np.sort(rng.uniform(-1, 1, size=(1, 24, 5)), axis=-1)
    weights = np.take_along_axis(levels, rng.integers(5, size=(1, 24, 72)), -1)
    assert np.array_equal(gptq_to_levels(weights, gram, np.ones((1, 24)), levels), weights)
