"""Whether float is right more often than by chance: a warning on few samples, an error on many."""

import numpy as np
import pytest

from edgeq.quantize.evaluate.label_check import against_guessing


def judged(answers, labels, classes=10):
    return against_guessing(np.asarray(answers), np.asarray(labels), classes)


LABELS = np.random.default_rng(0).integers(0, 10, 400)


@pytest.mark.parametrize(
    "answers",
    [
        np.full(400, 3),  # wrongly scaled samples: whatever comes, the answer is the same
        np.random.default_rng(1).permutation(LABELS),  # shuffled labels
        (LABELS + 1) % 10,  # numbered with a background class, or without
    ],
)
def test_a_model_that_only_guesses_is_found_out(answers):
    assert judged(answers, LABELS).knows_nothing


def test_one_class_nearly_always_is_no_excuse_for_always_answering_it():
    rare = np.where(np.arange(400) < 20, 1, 0)
    assert judged(np.zeros(400, int), rare, classes=2).knows_nothing
    assert not judged(np.where(np.arange(400) < 15, 1, 0), rare, classes=2).knows_nothing


def test_a_weak_model_is_no_guesser():
    weak = np.where(np.arange(400) % 4 == 0, LABELS, (LABELS * 3 + 1) % 10)
    found = judged(weak, LABELS)
    assert not found.knows_nothing
    assert not found.seems_to_guess


def test_labels_all_of_one_class_are_compared_with_draws_from_all_classes():
    assert not judged(np.full(60, 7), np.full(60, 7)).knows_nothing
    assert judged(np.full(60, 3), np.full(60, 7)).knows_nothing


@pytest.mark.parametrize(("right", "seems"), [(0, True), (2, False), (4, False)])
def test_a_few_samples_are_never_enough_to_refuse(right, seems):
    labels = np.array([1, 2, 3, 4])
    found = judged(np.where(np.arange(4) < right, labels, labels + 5), labels)
    assert not found.knows_nothing
    assert found.seems_to_guess == seems


def test_the_sentence_names_counts_and_chance():
    assert str(judged(np.zeros(400, int), np.arange(400) % 10)) == (
        "the float model is right on 40 of 400 labelled samples (10.0 %, by chance 10.0 %)"
    )
