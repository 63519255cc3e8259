"""Which held-out samples travel to the device."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edgeq.conversion.check_samples import MAX_BYTES, MAX_SAMPLES, choose_check_samples


def test_every_class_gets_its_share() -> None:
    labels = np.array([0] * 900 + [1] * 90 + [2] * 10)
    chosen = labels[list(choose_check_samples(1000, labels, 1000))]
    assert len(chosen) == MAX_SAMPLES
    assert np.bincount(chosen).tolist() == [100, 90, 10]


def test_a_sample_larger_than_the_bound_still_travels_alone() -> None:
    assert choose_check_samples(MAX_BYTES * 2, None, 5) == (0,)


@given(st.integers(1, 10**7), st.integers(1, 3000), st.booleans())
def test_the_bounds_hold_and_no_sample_comes_twice(sample_bytes: int, count: int, labelled: bool) -> None:
    labels = np.arange(count) % 7 if labelled else None
    chosen = choose_check_samples(sample_bytes, labels, count)
    assert 1 <= len(chosen) <= MAX_SAMPLES
    assert len(set(chosen)) == len(chosen)
    assert len(chosen) == 1 or len(chosen) * sample_bytes <= MAX_BYTES
    assert all(0 <= i < count for i in chosen)
