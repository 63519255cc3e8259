"""`--confidence`: the end of the interval decides, and the verdict names how many samples that takes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeq.errors import DataRefused
from edgeq.nouns.fidelity import Accuracy, Agreement, Bound, OutputError
from edgeq.quantize.evaluate.accuracy import accuracy_of
from edgeq.quantize.evaluate.confidence import PairedCounts, at_confidence, quantile
from edgeq.quantize.evaluate.gate import Gate, decide
from edgeq.quantize.evaluate.gate_rule import gate_rule
from tests.quantize.networks import Rows

NOISY = (OutputError("y", 30.0, 0.1),)
AT_95 = Gate(confidence=95.0)


def scored(lost: int, won: int, samples: int, gate: Gate = AT_95) -> Accuracy:
    """Of `samples` with two classes, all of class 0: float is wrong on those that the candidate wins."""
    labels = np.zeros(samples, np.int64)
    before, after = np.zeros((2, samples), np.int64)
    after[:lost], before[lost : lost + won] = 1, 1
    eye = np.eye(2, dtype=np.float32)
    found = accuracy_of(gate, (eye[before],), (eye[after],), labels)
    assert found is not None
    return found


def test_the_quantile_of_a_level():
    assert quantile(95) == pytest.approx(1.959964, abs=1e-6)
    assert quantile(99.9) == pytest.approx(3.290527, abs=1e-6)


def test_a_drop_that_luck_may_hide_is_refused_with_the_number_of_samples_it_takes():
    accuracy = scored(lost=4, won=1, samples=400)
    assert decide(Gate(), accuracy, None, NOISY).passed
    verdict = decide(AT_95, accuracy, None, NOISY)
    assert verdict.rule == (
        "the largest drop of top-1 within its 95 % confidence interval must be at most 1 point (default)"
    )
    assert verdict.bound == Bound(95.0, 1.0, accuracy.low, 400, 7_713)
    assert verdict.why_failed == (
        "top-1 may have fallen by 1.9 points at 95 % confidence (limit 1; measured -0.8 on 400 samples): with "
        "differences such as these that takes 7,713 held-out samples"
    )
    enough = scored(lost=80, won=20, samples=8_000)
    verdict = decide(AT_95, enough, None, NOISY)
    assert verdict.passed
    assert verdict.bound.samples_needed <= 8_000


def test_no_number_of_samples_helps_a_drop_that_is_too_large_itself():
    verdict = decide(AT_95, scored(lost=8, won=2, samples=400), None, NOISY)
    assert verdict.why_failed.startswith("top-1 fell by 1.5 points (limit 1)")
    assert verdict.why_failed.endswith("more samples would not help: the drop itself exceeds the limit")
    assert verdict.bound.samples_needed is None


@given(st.integers(0, 60), st.integers(0, 60), st.integers(1, 2_000), st.floats(0.05, 5), st.floats(50, 99.9))
def test_the_number_of_samples_is_the_first_that_is_enough(lost, won, same, drop, confidence):
    pairs = PairedCounts(lost, won, lost + won + same)
    needed = pairs.samples_needed(drop, confidence)
    assert (needed is None) == (pairs.difference <= -drop)
    if needed is None:
        return

    def low(n: int) -> float:
        """With the same shares lost and won."""
        p_lost, p_won = ((k * n / pairs.samples + 0.5) / (n + 2) for k in (lost, won))
        half = quantile(confidence) * np.sqrt((p_lost + p_won - (p_won - p_lost) ** 2) / (n + 2))
        return 100.0 * (p_won - p_lost - half)

    assert low(needed) >= -drop - 1e-9
    assert needed == 1 or low(needed - 1) < -drop + 1e-9
    assert (pairs.interval(confidence)[0] >= -drop) == (needed <= pairs.samples)


def test_a_higher_confidence_asks_for_more_samples():
    needed = [PairedCounts(3, 2, 1_000).samples_needed(0.5, level) for level in (50, 80, 90, 95, 99, 99.9)]
    assert needed == sorted(needed)
    assert needed[0] < needed[-1] / 10


def test_the_interval_covers_the_truth_as_often_as_the_level_says():
    rng = np.random.default_rng(0)
    for level, floor in ((80, 0.76), (99, 0.98)):
        ends = []
        for _ in range(400):
            lost, won, _ = rng.multinomial(500, (0.02, 0.01, 0.97))
            ends.append(PairedCounts(int(lost), int(won), 500).interval(level))
        assert floor <= np.mean([low <= -1.0 <= high for low, high in ends]) <= (level + 7) / 100


def test_what_equals_float_bit_for_bit_needs_no_samples():
    nothing_lost = scored(lost=0, won=0, samples=20)
    assert not decide(AT_95, nothing_lost, None, NOISY).passed
    verdict = decide(AT_95, nothing_lost, None, (OutputError("y", None, 0.0),))
    assert (verdict.passed, verdict.bound) == (True, None)
    assert AT_95.of("float").confidence is None
    assert AT_95.of("int8_static") == AT_95


def test_too_few_samples_give_a_warning_before_anything_is_made():
    labels = np.arange(100) % 10
    right = (np.eye(10, dtype=np.float32)[labels],)
    samples = Rows(np.zeros((100, 3), np.float32), labels)
    assert gate_rule(AT_95, right, samples, ["x"]).warnings == (
        "a limit of 1 point at 95 % confidence takes 194 held-out samples even if no prediction differs from float's, "
        "and there are 100",
    )
    assert gate_rule(Gate(confidence=95, max_drop=2), right, samples, ["x"]).warnings == ()
    (never,) = gate_rule(Gate(confidence=95, max_drop=0), right, samples, ["x"]).warnings
    assert "only by a candidate that is right more often than float" in never


def test_a_confidence_that_nothing_measures_is_refused():
    boxes = (np.zeros((10, 7, 5), np.float32),)
    with pytest.raises(DataRefused, match="a confidence of 95 % cannot be judged: there are no labels"):
        gate_rule(AT_95, boxes, Rows(np.zeros((10, 3), np.float32)), ["x"])


def test_counts_give_the_interval_at_another_level():
    recorded = scored(lost=4, won=1, samples=400, gate=Gate())
    assert recorded.confidence == 95.0
    assert at_confidence(recorded, 80.0) == scored(lost=4, won=1, samples=400, gate=Gate(confidence=80.0))
    assert at_confidence(Accuracy("map", 400, 50, 49, -1, -2, 0), 80.0) is None


class Metric:
    """score.py with three metrics of 0 to 100."""

    def __init__(self, folder):
        self.file = folder / "score.py"
        self.file.write_text(
            "def first(outputs, labels):\n    return 100 * (outputs[0].argmax(1) == labels).mean()\n"
            "def worst(outputs, labels):\n    return 7.0 if len(outputs[0]) else 0.0\n"
        )

    def verdict(self, function, lost, samples, confidence):
        gate = Gate(metric=f"{self.file}:{function}", confidence=confidence)
        labels, after = np.zeros((2, samples), np.int64)
        after[:lost] = 1
        eye = np.eye(2, dtype=np.float32)
        accuracy = accuracy_of(gate, (eye[labels],), (eye[after],), None, labels)
        return accuracy, decide(gate, accuracy, Agreement(samples, 99.0, None), NOISY)


def test_a_users_metric_is_judged_by_its_bootstrap_interval(tmp_path):
    metric = Metric(tmp_path)
    accuracy, verdict = metric.verdict("first", lost=3, samples=400, confidence=95)
    exact = 100 * 1.96 * np.sqrt(0.0075 * 0.9925 / 400)
    assert accuracy.difference - accuracy.low == pytest.approx(exact, rel=0.25)
    assert not verdict.passed
    assert verdict.bound.samples_needed == pytest.approx(400 * (exact / 0.25) ** 2, rel=0.5)
    assert "may have fallen by" in verdict.why_failed
    assert metric.verdict("first", lost=3, samples=400, confidence=50)[1].passed
    assert metric.verdict("first", lost=3, samples=4_000, confidence=95)[1].passed


def test_a_level_near_100_takes_more_draws(tmp_path):
    metric = Metric(tmp_path)
    lows = [metric.verdict("first", 30, 400, level)[0].low for level in (80, 95, 99, 99.9)]
    assert lows == sorted(lows, reverse=True)
    assert len(set(lows)) == 4


def test_a_metric_without_an_interval_is_refused(tmp_path):
    _, verdict = Metric(tmp_path).verdict("worst", lost=3, samples=400, confidence=95)
    assert verdict.why_failed == (
        "worst has no interval at 95 % confidence: every random choice of the 400 samples gave the same difference from "
        "float, so nothing can be said about other samples"
    )
    assert verdict.bound is None
