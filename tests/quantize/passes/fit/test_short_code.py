"""Levels that an entropy coder makes little of."""

import numpy as np
import pytest

from edgeq.quantize.passes.fit.gptq_rounding import output_error
from edgeq.quantize.passes.fit.least_squares import few_levels
from edgeq.quantize.passes.fit.short_code import short_levels

RNG = np.random.default_rng(0)
TARGET = RNG.normal(size=(1, 24, 300)) * RNG.uniform(0.1, 2.0, (1, 24, 1))
GRAM = np.eye(300)[None]


def entropy(integers: np.ndarray) -> float:
    """Bits a weight, the mean of the rows."""
    found = []
    for row in integers.reshape(-1, integers.shape[-1]):
        shares = np.unique(row, return_counts=True)[1] / len(row)
        found.append(-(shares * np.log2(shares)).sum())
    return float(np.mean(found))


@pytest.mark.parametrize("bits", [2, 3, 4, 6])
def test_integers_are_the_levels_themselves(bits: int) -> None:
    integers, scale = short_levels(TARGET, GRAM, bits)
    assert integers.min() >= -(2 ** (bits - 1)) and integers.max() <= 2 ** (bits - 1) - 1
    assert scale.shape == (1, 24) and (scale > 0).all()


def test_scales_have_half_of_their_bytes_zero() -> None:
    _, scale = short_levels(TARGET, GRAM, 4)
    stored = scale.astype(np.float32)
    assert (stored == scale).all() and (stored.view(np.uint32) & 0xFFFF == 0).all()


def test_at_the_same_error_they_take_fewer_bits() -> None:
    """In the sense of the measure: 6 dB of error are a bit of entropy."""
    costs = {}
    for levels in (short_levels, few_levels):
        integers, scale = levels(TARGET, GRAM, 4)
        error = output_error(TARGET, integers, GRAM, scale)
        grid = integers - integers.min(axis=-1, keepdims=True)
        costs[levels] = 0.5 * np.log2(error).mean() + entropy(grid)
    assert costs[short_levels] < costs[few_levels] - 0.01


def test_more_bits_are_closer() -> None:
    errors = []
    for bits in (2, 3, 4, 5):
        integers, scale = short_levels(TARGET, GRAM, bits)
        errors.append(output_error(TARGET, integers, GRAM, scale).mean())
    assert errors == sorted(errors, reverse=True)
