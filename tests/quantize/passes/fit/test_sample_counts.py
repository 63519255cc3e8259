"""Layers behind smaller activations are fitted to more samples, within a room for all of them."""

import numpy as np

from edgeq.quantize.passes.fit.sample_counts import FEWEST, sample_counts
from edgeq.quantize.samples import evenly_spaced, spread
from tests.quantize.networks import Rows

MB = 2**20


def test_all_samples_where_they_fit():
    assert sample_counts({"x": MB, "y": MB // 2}, 64) == {"x": 64, "y": 64}


def test_a_number_is_kept_until_there_is_room_for_twice_as_many_or_for_all():
    held = {"x": 6 * MB, "a": 4 * MB, "b": 3 * MB, "c": 2 * MB, "d": MB}
    assert sample_counts(held, 50) == {"x": 16, "a": 16, "b": 32, "c": 32, "d": 50}


def test_the_fewest_may_take_more_room_but_not_any():
    assert sample_counts({"x": 32 * MB}, 64) == {"x": FEWEST}
    assert sample_counts({"x": 33 * MB}, 64) == {}


def test_too_few_samples_fit_nothing():
    assert sample_counts({"x": MB}, FEWEST - 1) == {}


def test_the_first_samples_however_many_are_spread_over_the_set():
    samples = evenly_spaced(Rows(np.zeros((100, 1))), 100)
    positions = spread(samples).positions
    assert sorted(positions) == list(range(100))
    for first in (8, 13, 40):
        gaps = np.diff([0, *sorted(positions[:first]), 100])
        assert gaps.max() <= 3 * 100 / first
