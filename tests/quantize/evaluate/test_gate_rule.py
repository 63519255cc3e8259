"""The rule for candidates is found on float alone; a limit that cannot be judged is refused before any is made."""

import numpy as np
import pytest

from edgeq.errors import DataRefused
from edgeq.quantize.evaluate.gate import Gate
from edgeq.quantize.evaluate.gate_rule import gate_rule
from tests.quantize.networks import Rows

LABELS = np.arange(100) % 10
RIGHT = (np.eye(10, dtype=np.float32)[LABELS],)
BOXES = (np.zeros((100, 7, 5), np.float32),)
PIXELS = np.linspace(0, 1, 300, dtype=np.float32).reshape(100, 3)


def test_the_rule_and_floats_own_score():
    terms = gate_rule(Gate(), RIGHT, Rows(PIXELS, LABELS), ["x"])
    assert (terms.rule, terms.metric, terms.float_score) == (
        "top-1 may fall by at most 1 point (default)",
        "top-1",
        100.0,
    )
    assert gate_rule(Gate(min_sqnr_db=12), BOXES, Rows(PIXELS), ["x"]).rule == (
        "every output has an SQNR of at least 12 dB against float"
    )


def test_labels_on_which_float_only_guesses_are_refused_with_what_may_be_wrong():
    always_3 = (np.eye(10, dtype=np.float32)[np.full(100, 3)],)
    with pytest.raises(
        DataRefused, match=r"the float model is right on 10 of 100 .*do not belong"
    ) as refused:
        gate_rule(Gate(), always_3, Rows(PIXELS, LABELS), ["image"], known=["class folders: 0 ant, 1 bee"])
    assert refused.value.details == (
        "input image has values from 0 to 0.07692 in the first 8 samples",
        "float's most frequent prediction is class 3, on 100 of 100",
        "the labels are numbers from 0 to 9, the model's classes 0 to 9",
        "class folders: 0 ant, 1 bee",
    )
    assert "scale" in refused.value.remedy
    assert "--ignore-labels" in refused.value.remedy
    ignored = gate_rule(Gate(ignore_labels=True), always_3, Rows(PIXELS, LABELS), ["image"])
    assert ignored.rule.startswith("top-1 agreement with float of at least 90 %")


def test_a_few_samples_that_float_gets_wrong_are_a_warning():
    wrong = (np.eye(10, dtype=np.float32)[(LABELS[:5] + 1) % 10],)
    (warning,) = gate_rule(Gate(), wrong, Rows(PIXELS[:5], LABELS[:5]), ["x"]).warnings
    assert warning.startswith("the float model is right on 0 of 5 labelled samples")


@pytest.mark.parametrize(
    ("gate", "outputs", "labels", "why"),
    [
        (Gate(max_drop=0.5), RIGHT, None, "0.5 points of accuracy cannot be judged: there are no labels"),
        (Gate(max_drop=1), BOXES, LABELS, "1 point of accuracy .*no single output holds class scores"),
        (Gate(min_agreement=99), BOXES, None, "an agreement of 99 % cannot be judged"),
    ],
)
def test_a_limit_that_nothing_measures_is_refused(gate, outputs, labels, why):
    with pytest.raises(DataRefused, match=f"a gate that was asked for cannot be applied: {why}"):
        gate_rule(gate, outputs, Rows(PIXELS, labels), ["x"])


def test_labels_that_go_unused_are_a_warning():
    (warning,) = gate_rule(Gate(), BOXES, Rows(PIXELS, LABELS), ["x"]).warnings
    assert warning.startswith("the labels are not used")


def test_a_metric_scores_float_before_anything_is_made(tmp_path):
    file = tmp_path / "metric.py"
    file.write_text(
        "def half(outputs, labels):\n    return 0.5\ndef none(outputs, labels):\n    return float('nan')\n"
    )
    terms = gate_rule(Gate(metric=f"{file}:half"), BOXES, Rows(PIXELS), ["x"])
    assert (terms.metric, terms.float_score) == ("half", 0.5)
    with pytest.raises(DataRefused, match="gave nan"):
        gate_rule(Gate(metric=f"{file}:none"), BOXES, Rows(PIXELS), ["x"])


@pytest.mark.parametrize(
    "truth", [np.random.default_rng(1).normal(size=(60, 7)), np.eye(7)[np.arange(60) % 7] + np.eye(7)[0]]
)
def test_labels_that_are_no_classes_leave_the_sqnr_to_judge(truth):
    values = np.random.default_rng(0).normal(size=(60, 7)).astype(np.float32)
    values -= values.mean(axis=1, keepdims=True)  # as a softmax leaves scores
    rows = np.zeros((60, 3), np.float32)
    assert "top-1 agreement" in gate_rule(Gate(), (values,), Rows(rows), ["x"]).rule
    terms = gate_rule(Gate(), (values,), Rows(rows, boxes=truth), ["x"])
    assert terms.rule == "every output has an SQNR of at least 10 dB against float (default)"
    assert terms.classes is None
    asked = gate_rule(Gate(min_agreement=90), (values,), Rows(rows, boxes=truth), ["x"])
    assert asked.rule == "top-1 agreement with float of at least 90 %"
