"""One probability per sample and labels of 0 and 1: accuracy at a half is what counts. Whether float is right more often than by
chance: a warning on few samples, an error on many.
"""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper, numpy_helper

from edgeq.nouns.project import Gates
from edgeq.quantize.evaluate.accuracy import accuracy_of, against_guessing, scored_by, why_unused
from edgeq.quantize.evaluate.gate import Gate
from edgeq.quantize.evaluate.gate_rule import gate_rule
from edgeq.report.device_check import check_outputs
from edgeq.workflow.convert import convert
from tests.quantize.networks import Rows, images, model_of

LABELS = np.arange(100) % 2
SURE = (np.where(LABELS, 0.9, 0.2).astype(np.float32)[:, None],)
PIXELS = np.zeros((100, 3), np.float32)


def test_float_is_right_above_a_half():
    terms = gate_rule(Gate(), SURE, Rows(PIXELS, LABELS), ["x"])
    assert terms.rule == "accuracy at 0.5 may fall by at most 1 point (default)"
    assert (terms.metric, terms.float_score, terms.classes) == ("accuracy at 0.5", 100.0, 2)


def test_a_candidate_loses_what_falls_below_it():
    (moved,) = (SURE[0].copy(),)
    moved[1:7:2] = 0.5  # three samples of class 1; at the threshold itself the answer is 0
    found = accuracy_of(Gate(), SURE, (moved,), LABELS)
    assert (found.metric, found.float_score, found.candidate_score) == ("accuracy at 0.5", 100.0, 97.0)
    assert (found.lost, found.won) == (3, 0)


@pytest.mark.parametrize("shape", [(100,), (100, 1), (100, 1, 1)])
def test_however_the_number_is_wrapped(shape):
    assert scored_by((SURE[0].reshape(shape),), LABELS).of_two


@pytest.mark.parametrize(
    ("outputs", "labels", "why"),
    [
        ((20 * SURE[0] - 9,), LABELS, "goes from -5 to 9 and is no probability"),
        ((SURE[0] / 3,), LABELS, "float's output is at or below 0.5 on every sample"),
        (SURE, LABELS + 1, "no single output holds class scores"),
        ((*SURE, *SURE), LABELS, "no single output holds class scores"),
    ],
)
def test_what_is_no_answer_goes_unused_and_it_is_said_why(outputs, labels, why):
    assert scored_by(outputs, labels) is None
    assert why in why_unused(Rows(PIXELS, labels), outputs)


def test_scores_of_classes_stay_what_is_judged():
    scores = np.eye(2, dtype=np.float32)[LABELS]
    assert scored_by((scores, *SURE), LABELS).name == "top-1"


def test_the_device_is_checked_by_the_same_threshold():
    device = SURE[0].copy()
    device[0] = 0.6
    check = check_outputs(SURE, (device,), SURE, LABELS, 100)
    assert (check.float_accuracy, check.host_accuracy, check.accuracy) == (100.0, 100.0, 99.0)


# ---- from the user's side


def detector(folder: Path) -> str:
    """A convolution, its mean over the image, one number of that, a sigmoid; with samples and mostly right labels."""
    rng = np.random.default_rng(0)
    kernel, head = rng.normal(scale=0.2, size=(16, 8, 3, 3)), rng.normal(size=(1, 16))
    weights = [numpy_helper.from_array(w.astype(np.float32), n) for n, w in (("k", kernel), ("h", head))]
    nodes = [
        helper.make_node("Conv", ["x", "k"], ["c"], name="conv", pads=[1, 1, 1, 1]),
        helper.make_node("GlobalAveragePool", ["c"], ["g"], name="pool"),
        helper.make_node("Flatten", ["g"], ["f"], name="flat"),
        helper.make_node("Gemm", ["f", "h"], ["l"], name="head", transB=1),
        helper.make_node("Sigmoid", ["l"], ["p"], name="sigmoid"),
    ]
    path = folder / "detector.onnx"
    onnx.save(model_of(nodes, weights, [("x", (1, 8, 16, 16))], [("p", (1, 1))]), str(path))
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    x = images(300, shape=(8, 16, 16))
    answers = [bool(session.run(None, {"x": row[None]})[0][0, 0] > 0.5) for row in x]
    labels = np.array(answers) ^ (np.arange(300) % 10 == 0)  # a tenth of them wrong
    np.savez(folder / "data.npz", x=x, labels=labels.astype(np.int64))
    return str(path)


def test_labels_judge_a_network_that_ends_in_a_sigmoid(tmp_path):
    made = convert(
        detector(tmp_path),
        data=str(tmp_path / "data.npz"),
        target="x86-64-vnni",
        runtime="onnxruntime",
        recipe="int8_static",
        gates=Gates(max_drop=2),
        output=tmp_path / "d.edgeq",
    )
    assert made.data.metric == "accuracy at 0.5"
    assert 85 < made.data.float_score < 95
    assert made.data.warnings == ()
    (int8,) = (f for f in made.fidelity if f.candidate == "onnxruntime-int8_static")
    assert int8.gate == "accuracy at 0.5 may fall by at most 2 points"
    assert int8.accuracy.samples == 200
    assert int8.accuracy.float_score == made.data.float_score


def guessing(answers, labels, classes=10):
    return against_guessing(np.asarray(answers), np.asarray(labels), classes)


CLASSES = np.random.default_rng(0).integers(0, 10, 400)


@pytest.mark.parametrize(
    "answers",
    [
        np.full(400, 3),  # wrongly scaled samples: whatever comes, the answer is the same
        np.random.default_rng(1).permutation(CLASSES),  # shuffled labels
        (CLASSES + 1) % 10,  # numbered with a background class, or without
    ],
)
def test_a_model_that_only_guesses_is_found_out(answers):
    assert guessing(answers, CLASSES).knows_nothing


def test_one_class_nearly_always_is_no_excuse_for_always_answering_it():
    rare = np.where(np.arange(400) < 20, 1, 0)
    assert guessing(np.zeros(400, int), rare, classes=2).knows_nothing
    assert not guessing(np.where(np.arange(400) < 15, 1, 0), rare, classes=2).knows_nothing


def test_a_weak_model_is_no_guesser():
    weak = np.where(np.arange(400) % 4 == 0, CLASSES, (CLASSES * 3 + 1) % 10)
    found = guessing(weak, CLASSES)
    assert not found.knows_nothing
    assert not found.seems_to_guess


def test_labels_all_of_one_class_are_compared_with_draws_from_all_classes():
    assert not guessing(np.full(60, 7), np.full(60, 7)).knows_nothing
    assert guessing(np.full(60, 3), np.full(60, 7)).knows_nothing


@pytest.mark.parametrize(("right", "seems"), [(0, True), (2, False), (4, False)])
def test_a_few_samples_are_never_enough_to_refuse(right, seems):
    labels = np.array([1, 2, 3, 4])
    found = guessing(np.where(np.arange(4) < right, labels, labels + 5), labels)
    assert not found.knows_nothing
    assert found.seems_to_guess == seems


def test_the_sentence_names_counts_and_chance():
    assert str(guessing(np.zeros(400, int), np.arange(400) % 10)) == (
        "the float model is right on 40 of 400 labelled samples (10.0 %, by chance 10.0 %)"
    )
