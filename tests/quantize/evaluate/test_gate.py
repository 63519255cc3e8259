"""The gate's rules and their words."""

import numpy as np
import pytest

from edgeq.class_scores import class_scores
from edgeq.errors import DataRefused
from edgeq.nouns.fidelity import Accuracy, Agreement, OutputError
from edgeq.quantize.evaluate.accuracy import accuracy_of, why_unused
from edgeq.quantize.evaluate.gate import Gate, decide
from tests.quantize.networks import Rows

LABELS = np.array([0, 1, 2, 0] * 25)


def scores(right: int):
    """Class scores [100, 3] of which the first `right` are right."""
    wrong = np.where(np.arange(100) < right, LABELS, (LABELS + 1) % 3)
    return np.eye(3, dtype=np.float32)[wrong]


def test_labels_decide_by_the_point_estimate_of_the_paired_drop():
    accuracy = accuracy_of(Gate(), (scores(95),), (scores(93),), LABELS)
    assert (accuracy.float_score, accuracy.candidate_score, accuracy.difference) == (95.0, 93.0, -2.0)
    verdict = decide(Gate(), accuracy, None, ())
    assert not verdict.passed
    assert verdict.why_failed.startswith(
        "top-1 fell by 2.0 points (limit 1): 95.0 -> 93.0 on 100 samples, 95 % interval"
    )
    assert decide(Gate(max_drop=2.0), accuracy, None, ()).passed
    assert decide(
        Gate(max_drop=0.0), accuracy_of(Gate(), (scores(93),), (scores(93),), LABELS), None, ()
    ).passed


def test_without_labels_a_classifier_has_to_agree():
    assert decide(Gate(), None, Agreement(100, 90.0, None), ()).passed
    verdict = decide(Gate(min_agreement=97), None, Agreement(100, 96.9, None), ())
    assert verdict.why_failed == "top-1 agreement with float is 96.9 % on 100 samples (limit 97 %)"


def test_every_limit_that_was_asked_for_holds_next_to_the_labels():
    accuracy = accuracy_of(Gate(), (scores(95),), (scores(95),), LABELS)
    outputs = (OutputError("y", 12.0, 0.1),)
    gate = Gate(min_agreement=97, min_sqnr_db=20)
    verdict = decide(gate, accuracy, Agreement(100, 96.0, None), outputs)
    assert verdict.rule == (
        "top-1 may fall by at most 1 point (default); and top-1 agreement with float of at least 97 %; and every "
        "output has an SQNR of at least 20 dB against float"
    )
    assert verdict.why_failed == (
        "top-1 agreement with float is 96.0 % on 100 samples (limit 97 %); output y: SQNR 12.0 dB (limit 20 dB)"
    )


def test_a_limit_that_cannot_be_judged_is_reported():
    rule = decide(Gate(max_drop=0.5, min_agreement=99), None, None, ()).rule
    assert rule == (
        "every output has an SQNR of at least 10 dB against float (default) (0.5 points of accuracy cannot be judged: "
        "there are no labels) (an agreement of 99 % cannot be judged: the model's output is no class scores)"
    )


@pytest.mark.parametrize(
    ("before", "after", "decimals", "printed"),
    [
        (87.625, 87.875, 3, "87.625 -> 87.875 (+0.250)"),
        (91.2, 90.9, 1, "91.2 -> 90.9 (-0.3)"),
        (87.64, 87.89, 2, "87.64 -> 87.89 (+0.25)"),
    ],
)
def test_scores_are_printed_so_that_they_differ_by_the_printed_difference(before, after, decimals, printed):
    accuracy = Accuracy("top-1", 800, before, after, after - before, -1.0, 1.0)
    d = accuracy.decimals
    assert d == decimals
    assert f"{before:.{d}f} -> {after:.{d}f} ({accuracy.difference:+.{d}f})" == printed


def test_anything_else_is_judged_by_the_sqnr_of_each_output():
    outputs = (
        OutputError("boxes", 8.0, 1.0),
        OutputError("scores", 40.0, 0.1),
        OutputError("same", None, 0.0),
    )
    verdict = decide(Gate(), None, None, outputs)
    assert verdict.why_failed == "output boxes: SQNR 8.0 dB (limit 10 dB)"


@pytest.mark.parametrize(
    ("shapes", "which"),
    [
        ([(5, 10)], 0),
        ([(5, 1)], None),
        ([(5, 4, 2)], None),
        ([(5, 4, 2), (5, 3)], 1),
        ([(5, 3), (5, 4)], None),
    ],
)
def test_class_scores_are_the_only_output_of_two_dimensions(shapes, which):
    assert class_scores(tuple(np.zeros(s, np.float32) for s in shapes)) == which


def test_embeddings_of_length_one_are_no_class_scores():
    embedded = np.random.default_rng(0).normal(size=(20, 8))
    embedded /= np.linalg.norm(embedded, axis=1, keepdims=True)
    assert class_scores((embedded.astype(np.float32),)) is None
    assert class_scores((scores(100),)) == 0


def test_a_metric_of_the_users_own(tmp_path):
    file = tmp_path / "metric.py"
    file.write_text("def first(outputs, labels):\n    return 100 * (outputs[0].argmax(1) == labels).mean()\n")
    accuracy = accuracy_of(Gate(metric=f"{file}:first"), (scores(95),), (scores(90),), LABELS, LABELS)
    assert (accuracy.metric, accuracy.difference) == ("first", pytest.approx(-5.0))
    assert accuracy.low < -5.0 < accuracy.high < 0


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("nowhere.py:f", "no file nowhere.py"),
        ("nowhere", "names no function"),
        ("{file}:missing", "has no 'missing'"),
        ("{file}:broken", "failed: KeyError"),
        ("{file}:nothing", "gave nan, which is no score to compare"),
        ("{file}:seldom", "gave no finite number on .* of 200 random choices"),
    ],
)
def test_a_metric_that_fails_is_refused_by_name(tmp_path, spec, says):
    file = tmp_path / "metric.py"
    file.write_text(
        "def broken(outputs, labels):\n    return {}['x']\n"
        "def nothing(outputs, labels):\n    return float('nan')\n"
        "def seldom(outputs, labels):\n    return 1.0 if outputs[0].argmax(1)[:6].tolist() == [0, 1, 2, 0, 0, 1] else float('inf')\n"
    )
    with pytest.raises(DataRefused, match=says):
        accuracy_of(Gate(metric=spec.format(file=file)), (scores(9),), (scores(9),), LABELS)


def test_accuracy_needs_labels_and_scores():
    assert accuracy_of(Gate(), (scores(9),), (scores(9),), None) is None
    assert (
        accuracy_of(
            Gate(), (np.zeros((100, 3, 2), np.float32),), (np.zeros((100, 3, 2), np.float32),), LABELS
        )
        is None
    )
    assert isinstance(accuracy_of(Gate(), (scores(9),), (scores(9),), LABELS), Accuracy)


def test_a_metric_of_0_to_1_is_counted_in_points_of_100(tmp_path):
    file = tmp_path / "metric.py"
    file.write_text("import share\ndef right(outputs, labels):\n    return share.of(outputs[0], labels)\n")
    (tmp_path / "share.py").write_text(
        "def of(scores, labels):\n    return (scores.argmax(1) == labels).mean()\n"
    )
    gate = Gate(metric=f"{file}:right")
    accuracy = accuracy_of(gate, (scores(95),), (scores(90),), None, LABELS)
    assert accuracy.difference == pytest.approx(-5.0)
    verdict = decide(gate, accuracy, None, ())
    assert verdict.why_failed.startswith("right fell by 5.0 points (limit 1): 95.0 -> 90.0")
    assert verdict.rule.endswith("scores of 0 to 1 count as 0 to 100 points")


def test_a_metric_is_given_boxes_as_they_came(tmp_path):
    file = tmp_path / "metric.py"
    file.write_text(
        "def best(outputs, labels):\n    assert labels.shape[1:] == (4, 5)\n    return labels.max()\n"
    )
    reference = (np.zeros((10, 3), np.float32),)
    accuracy = accuracy_of(Gate(metric=f"{file}:best"), reference, reference, None, np.ones((10, 4, 5)))
    assert accuracy.difference == 0.0


def test_values_that_are_no_scores_pass_when_they_are_close():
    assert decide(Gate(), None, Agreement(100, 40.0, None), (OutputError("y", 62.9, 0.1),)).passed
    assert not decide(Gate(), None, Agreement(100, 40.0, None), (OutputError("y", 29.0, 0.1),)).passed
    assert not decide(
        Gate(min_agreement=90), None, Agreement(100, 40.0, None), (OutputError("y", 62.9, 0.1),)
    ).passed


@pytest.mark.parametrize(
    ("truth", "labels", "output", "says"),
    [
        (None, None, (10, 3), ""),
        (np.zeros(10, int), np.zeros(10, int), (10, 3), ""),
        (np.zeros((10, 4, 5)), None, (10, 3), "float64 of shape 10x4x5) are not class numbers"),
        (np.zeros(10, int), np.zeros(10, int), (10, 3, 2), "no single output holds class scores"),
    ],
)
def test_labels_that_go_unused_are_mentioned_in_the_rule(truth, labels, output, says):
    samples = Rows(np.zeros((10, 2)), labels=labels, boxes=truth)
    unused = why_unused(samples, (np.zeros(output, np.float32),))
    assert says in unused
    assert bool(says) == bool(unused)
    assert unused in decide(Gate(), None, None, (), unused).rule


def test_few_samples_are_judged_by_agreement_and_sqnr():
    """One lost image of 60 is 1.7 points, which says nothing of a drop of one."""
    outputs = (OutputError("y", 12.0, 0.1),)
    lost = accuracy_of(Gate(), (scores(95)[:60],), (scores(59)[:60],), LABELS[:60])
    verdict = decide(Gate(), lost, Agreement(60, 98.3, None), outputs)
    assert verdict.passed
    assert verdict.rule.startswith(
        "the 95 % interval of the difference in top-1 must reach -1 point or above (60 samples cannot resolve 1 point: "
        "give 100); and top-1 agreement with float of at least 90 %, or an SQNR of at least 30 dB on every output"
    )
    far = decide(Gate(max_drop=1.0), lost, Agreement(60, 80.0, None), outputs)
    assert far.why_failed == "top-1 agreement with float is 80.0 % on 60 samples (limit 90 %)"


def test_a_drop_that_few_samples_do_show_fails():
    lost = accuracy_of(Gate(), (scores(60)[:60],), (scores(45)[:60],), LABELS[:60])
    verdict = decide(Gate(), lost, Agreement(60, 95.0, None), ())
    assert verdict.why_failed.startswith("top-1 fell by 25.0 points (limit 1)")


def test_no_drop_at_all_a_confidence_and_enough_samples_are_judged_by_the_score():
    lost = accuracy_of(Gate(), (scores(95)[:60],), (scores(59)[:60],), LABELS[:60])
    assert not decide(Gate(max_drop=0.0), lost, Agreement(60, 98.3, None), ()).passed
    assert not decide(Gate(confidence=95.0), lost, Agreement(60, 98.3, None), ()).passed
    enough = accuracy_of(Gate(), (scores(95),), (scores(93),), LABELS)
    assert not decide(Gate(), enough, Agreement(100, 98.0, None), ()).passed
