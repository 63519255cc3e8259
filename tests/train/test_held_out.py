"""Samples that are held out for validation: how many, of which classes, and always the same."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeq.errors import DataRefused
from edgeq.train.held_out import held_out


@pytest.mark.parametrize(
    ("count", "number"), [(20_000, 1000), (10_000, 500), (640, 32), (100, 32), (40, 20), (3, 1), (2, 1)]
)
def test_how_many(count: int, number: int) -> None:
    split = held_out(count, None)
    assert len(split.validation) == number
    assert sorted([*split.train, *split.validation]) == list(range(count))


def test_without_labels_they_are_evenly_spaced() -> None:
    assert held_out(8, None, share=0.5).validation.tolist() == [1, 3, 5, 7]
    gaps = np.diff(held_out(20_000, None).validation)
    assert set(gaps) == {20}


def test_every_class_keeps_its_share() -> None:
    labels = np.repeat([0, 1, 2], [6000, 3000, 1000])
    chosen = labels[held_out(len(labels), labels, share=0.1).validation]
    assert np.bincount(chosen).tolist() == [600, 300, 100]


def test_a_class_of_one_sample_is_trained_on() -> None:
    labels = np.array([0] * 99 + [7])
    split = held_out(100, labels)
    assert 99 in split.train and len(split.validation) == 32


def test_numbers_that_are_no_classes_are_split_as_if_there_were_none() -> None:
    assert held_out(50, np.arange(50)).validation.tolist() == held_out(50, None).validation.tolist()


@given(st.lists(st.integers(0, 4), min_size=2, max_size=300), st.floats(0.01, 0.99))
def test_no_sample_is_in_both_parts(labels: list[int], share: float) -> None:
    split = held_out(len(labels), np.array(labels), share)
    assert sorted([*split.train, *split.validation]) == list(range(len(labels)))
    if len(set(labels)) < len(labels):
        assert set(np.array(labels)[split.train]) == set(labels)
    assert (np.diff(split.validation) > 0).all()


def test_what_cannot_be_split() -> None:
    with pytest.raises(DataRefused, match="two samples at least, one of them to validate by; there is 1"):
        held_out(1, None)
    with pytest.raises(ValueError, match="share for validation is 1.5"):
        held_out(100, None, share=1.5)
