"""Class scores are told from other outputs of the same shape by labels, or else by their values."""

import numpy as np
import pytest

from edgeq.class_scores import are_no_classes, class_scores, why_no_classes, why_none

RNG = np.random.default_rng(0)
ANSWERS = RNG.integers(0, 10, 60)
LOGITS = RNG.normal(size=(60, 10)) + 6 * np.eye(10)[ANSWERS]
CORNERS = np.sort(RNG.random((60, 2, 2)) * 640, axis=1).reshape(60, 4)
MANY = RNG.normal(size=(60, 200)) + 9 * np.eye(200)[RNG.integers(0, 200, 60)]


PLACES = np.tanh(RNG.normal(size=(60, 3)))


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


def targets(width, together, count=60):
    """Standardized values that one net regresses, `together` of their size common to all."""
    own = np.random.default_rng(width).normal(size=(count, width))
    return own + together * np.random.default_rng(0).normal(size=(count, 1))


@pytest.mark.parametrize(
    "rows",
    [
        *(targets(width, together) for width in (2, 3, 6, 10, 20, 31) for together in (0, 2)),
        PLACES @ np.diag([3.0, 1.0, 0.2]),
        np.cumsum(targets(12, 1) * 0.3, axis=1),
    ],
)
def test_targets_vary_on_their_own_or_together(rows):
    assert "vary independently or together" in why_no_classes(rows)
    assert why_none((rows.astype(np.float32),)) == why_no_classes(rows.astype(np.float32))
    assert class_scores((rows,), labelled=True) == 0


@pytest.mark.parametrize(
    ("offsets", "attributes"), [(2, 2), (4, 1), (4, 6), (4, 10), (10, 10), (2, 20), (4, 80)]
)
def test_offsets_in_pixels_beside_attributes_are_of_several_units(offsets, attributes):
    """No row's sum and no distance of its largest values tells them: one offset of some hundred stands out by itself."""
    rng = np.random.default_rng(offsets)
    moved = 300 * rng.normal(size=(64, offsets)) @ np.linalg.qr(rng.normal(size=(offsets, offsets)))[0]
    rows = np.concatenate([moved, rng.normal(size=(64, attributes))], axis=1)
    assert "vary at least 8 times as much" in why_no_classes(rows)
    assert class_scores((rows,)) is None
    assert class_scores((rows,), labelled=True) == class_scores((rows,), names=("logits",)) == 0


def test_a_class_that_no_sample_has_leaves_scores_of_one_unit():
    unused = np.concatenate([LOGITS, np.full((60, 1), -9.0)], axis=1)
    assert why_no_classes(unused) == why_no_classes(1 / (1 + np.exp(4 - unused))) == ""
    background = np.concatenate([0.05 * RNG.normal(size=(60, 1)), MANY], axis=1)
    assert why_no_classes(background) == ""


def test_a_name_speaks_for_classes_where_values_only_vary_apart():
    rows = targets(6, 1)
    assert class_scores((rows,), names=("target",)) is None
    assert class_scores((rows,), names=("class_logits",)) == 0


def test_of_few_samples_nothing_is_said():
    assert why_no_classes(targets(6, 2)[:7]) == ""
    assert why_no_classes(np.repeat(targets(6, 2)[:7], 5, axis=0)) == ""


def test_which_value_is_the_largest_says_nothing_where_it_is_always_the_same():
    readings = targets(6, 0) * [0.1, 1, 5, 20, 30, 0.01] + [-20, 0, 5, 1000, 300, 1]
    assert "the largest on every sample" in why_no_classes(readings)
    assert "the largest on every sample" not in why_no_classes(readings[:7])


@pytest.mark.parametrize("width", [2, 3, 7, 10, 30])
@pytest.mark.parametrize("steps", [60, 600])
def test_a_trained_softmax_moves_scores_against_each_other(width, steps):
    """Clusters that overlap, learnt by gradient descent from weights at random: right on 60 to 95 %."""
    rng = np.random.default_rng(width)
    centres = rng.normal(size=(width, 16))
    labels = rng.integers(0, width, 600)
    x = centres[labels] + rng.normal(size=(600, 16)) * 1.2
    weights = rng.normal(size=(16, width)) * 0.1
    for _ in range(steps):
        wrong = softmax(x[:400] @ weights) - np.eye(width)[labels[:400]]
        weights -= 0.1 * x[:400].T @ wrong / 400
    assert why_no_classes(x[400:] @ weights) == ""


def test_what_has_the_shape_of_an_input_is_a_reconstruction():
    for shape in ((10,), (1, 10)):
        assert class_scores((LOGITS,), (shape,)) is None
    assert class_scores((LOGITS,), ((1, 3, 32, 32), (1, 12))) == 0
    assert class_scores((softmax(LOGITS),), ((1, 10),)) == 0


def test_a_name_speaks_only_against_classes_that_values_do_not_show():
    assert class_scores((LOGITS,), names=("embedding",)) is None
    assert class_scores((LOGITS,), names=("rotation",)) is None
    assert class_scores((LOGITS,), names=("rotation_logits",)) == 0
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
