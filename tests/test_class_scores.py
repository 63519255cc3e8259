"""Class scores are told from other outputs of the same shape by labels, or else by their values."""

import numpy as np
import pytest

from edgeq.class_scores import are_no_classes, class_scores, why_no_classes

RNG = np.random.default_rng(0)
ANSWERS = RNG.integers(0, 10, 60)
LOGITS = RNG.normal(size=(60, 10)) + 6 * np.eye(10)[ANSWERS]
CORNERS = np.sort(RNG.random((60, 2, 2)) * 640, axis=1).reshape(60, 4)
MANY = RNG.normal(size=(60, 200)) + 9 * np.eye(200)[RNG.integers(0, 200, 60)]


def softmax(x):
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(
    "rows", [LOGITS, softmax(LOGITS), np.log(softmax(LOGITS)), 100 * softmax(LOGITS), 1 / (1 + np.exp(4 - LOGITS)), MANY]
)  # fmt: skip
def test_scores_of_classes(rows):
    assert why_no_classes(rows) == ""
    assert class_scores((rows,)) == 0


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (CORNERS, "never below zero"),
        (CORNERS - 320, "corners of boxes"),
        (RNG.random((60, 4)), "none or several above a half"),
        (RNG.normal(size=(60, 64)), "no value of a row stands out"),
        (RNG.laplace(size=(60, 128)), "no value of a row stands out"),
        (np.maximum(RNG.normal(size=(60, 16)), 0) * 3, "never below zero"),
    ],
)
def test_boxes_and_embeddings(rows, says):
    assert says in why_no_classes(rows)
    assert class_scores((rows,)) is None
    assert class_scores((rows,), labelled=True) == 0


def test_what_has_the_shape_of_an_input_is_a_reconstruction():
    for shape in ((10,), (1, 10)):
        assert class_scores((LOGITS,), (shape,)) is None
    assert class_scores((LOGITS,), ((1, 3, 32, 32), (1, 12))) == 0
    assert class_scores((softmax(LOGITS),), ((1, 10),)) == 0


def test_a_name_speaks_only_against_classes_that_values_do_not_show():
    assert class_scores((LOGITS,), names=("embedding",)) is None
    assert class_scores((softmax(LOGITS),), names=("features",)) == 0


VARIOUS = np.empty(2, object)
VARIOUS[:] = [np.ones((3, 4), np.float32), np.ones((1, 4), np.float32)]


@pytest.mark.parametrize(
    "truth",
    [
        RNG.normal(size=(60, 10)),
        RNG.random(60),
        RNG.random((60, 5, 4)),
        RNG.integers(0, 2, (60, 10)),
        RNG.integers(0, 2, (60, 10)).astype(np.float32),
        VARIOUS,
    ],
    ids=[
        "a pose",
        "one real number",
        "boxes",
        "several classes at once",
        "several as floats",
        "boxes of various numbers",
    ],
)
def test_labels_that_say_that_the_outputs_are_no_classes(truth):
    assert are_no_classes(truth, 10)


@pytest.mark.parametrize("truth", [softmax(LOGITS), RNG.integers(0, 9, (60, 3)), np.array(["cat"] * 60)])
def test_labels_that_do_not(truth):
    assert not are_no_classes(truth, 10)
