"""Layers behind smaller activations are fitted to more samples, within a room for all of them."""

import numpy as np

from edgeq.quantize.passes.fit.sample_counts import FEWEST, sample_counts
from edgeq.quantize.samples import evenly_spaced, spread
from tests.quantize.networks import Rows

MB = 2**20


def test_all_samples_where_they_fit():
    assert sample_counts([MB, MB // 2], [1, 1], 64) == [64, 64]


def test_a_number_is_kept_until_there_is_room_for_twice_as_many_or_for_all():
    held = [6 * MB, 4 * MB, 3 * MB, 2 * MB, MB]
    assert sample_counts(held, [1] * 5, 60) == [12, 12, 24, 24, 60]


def test_what_is_held_later_counts_too():
    """As in a network whose pictures shrink and grow again."""
    assert sample_counts([6 * MB, MB, 6 * MB, MB], [1] * 4, 60) == [12, 12, 12, 60]


def test_no_samples_come_in_for_the_last_few_weights():
    assert sample_counts([6 * MB, 6 * MB, MB], [50, 45, 5], 60) == [12, 12, 12]


def test_the_fewest_may_take_more_room_but_not_any():
    assert sample_counts([32 * MB], [1], 64) == [FEWEST]
    assert sample_counts([33 * MB], [1], 64) == []


def test_too_few_samples_fit_nothing():
    assert sample_counts([MB], [1], FEWEST - 1) == []


def test_the_first_samples_however_many_are_spread_over_the_set():
    samples = evenly_spaced(Rows(np.zeros((100, 1))), 100)
    positions = spread(samples).positions
    assert sorted(positions) == list(range(100))
    for first in (8, 13, 40):
        gaps = np.diff([0, *sorted(positions[:first]), 100])
        assert gaps.max() <= 3 * 100 / first
