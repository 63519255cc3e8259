"""What an emulated CPU costs, from a few samples: nothing where nothing changes, in full where something does."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from edgeq.emulate.answers import Answers
from edgeq.emulate.compare import Baseline, compare
from edgeq.nouns.bundle import Candidate
from edgeq.nouns.fidelity import Accuracy, Agreement, Fidelity, OutputError
from edgeq.nouns.verification import Verified
from edgeq.quantize.evaluate.gate import Gate

INT8 = Candidate("onnxruntime-int8_static", "onnxruntime", "int8_static", "model.onnx", ("x",), ("y",))
FLOAT = np.random.default_rng(0).normal(size=(50, 10)).astype(np.float32)
LABELS = FLOAT.argmax(axis=1)


@dataclass(frozen=True)
class Labelled:
    labels: Any
    count: int = 50
    sha256: str = ""

    @property
    def truth(self) -> Any:
        return self.labels

    def __getitem__(self, i: int) -> tuple[np.ndarray, ...]:
        raise AssertionError("answers are there: no sample is needed")


def answers(outputs: np.ndarray, offered: int = 50) -> Answers:
    return Answers((outputs,), "1.31.1", offered, None, 1.0)


def wrong(outputs: np.ndarray, rows: list[int]) -> np.ndarray:
    """The last class wins in these rows, which is nobody's label there."""
    changed = outputs.copy()
    changed[rows] = 0.0
    changed[rows, (LABELS[rows] + 1) % 10] = 9.0
    return changed


def verified(here: np.ndarray, there: np.ndarray, **baseline: Any) -> Verified:
    given: dict[str, Any] = {"samples": Labelled(LABELS), "float_outputs": (FLOAT,), "recorded": {}}
    return compare(
        Baseline(**{"gate": Gate(), **given, **baseline}, names=("y",)), INT8, answers(here), answers(there)
    )


def recorded(difference: float, samples: int = 800) -> dict[str, Fidelity]:
    accuracy = Accuracy(
        "top-1", samples, 90.0, 90.0 + difference, difference, difference - 0.5, difference + 0.5
    )
    errors = (OutputError("y", 30.0, 0.1),)
    return {INT8.id: Fidelity(INT8.id, samples, errors, Agreement(samples, 99.0, None), accuracy)}


def test_the_same_answers_cost_what_they_cost_here() -> None:
    """One sample of ten lost here is no reason for doubt: eight hundred judged it, and nothing changes there."""
    here = wrong(FLOAT, [3])
    done = verified(here, here[:10], recorded=recorded(-0.2))
    assert done.same_bits
    assert done.passed
    assert done.expected is not None
    assert done.expected.accuracy is not None
    assert (done.expected.accuracy.difference, done.expected.accuracy.samples) == (-0.2, 800)


def test_a_change_counts_in_full() -> None:
    done = verified(FLOAT, wrong(FLOAT, [3])[:20], recorded=recorded(-0.2))
    assert not done.passed
    assert done.expected is not None
    assert done.expected.accuracy is not None
    assert done.expected.accuracy.difference == -5.2  # 0.2 here, and one of 20 there
    assert done.expected.accuracy.low < -5.7
    assert done.why_failed is not None
    assert "fell by 5.2 points" in done.why_failed


def test_answers_that_are_better_by_chance_there_make_up_for_what_is_lost_here() -> None:
    done = verified(wrong(FLOAT, [3]), FLOAT[:20], recorded=recorded(-0.2))
    assert done.passed
    assert done.expected is not None
    assert done.expected.accuracy is not None
    assert round(done.expected.accuracy.difference, 6) == 4.8


def test_without_a_record_all_samples_judge_here() -> None:
    """Twelve of fifty lost here are 24 points, whatever the first ten say."""
    here = wrong(FLOAT, list(range(30, 42)))
    done = verified(here, here[:10])
    assert done.expected is not None
    assert done.expected.accuracy is not None
    assert done.expected.accuracy.difference == -24.0
    assert not done.passed


def test_without_float_there_is_held_against_here() -> None:
    done = verified(FLOAT, wrong(FLOAT, [0, 1, 2, 3])[:10], float_outputs=None)
    assert not done.passed
    assert "compared with this machine" in done.gate


def test_decibels_move_with_the_change() -> None:
    noise = np.random.default_rng(1).normal(size=FLOAT.shape).astype(np.float32)
    here, there = FLOAT + 0.01 * noise, FLOAT + 0.1 * noise
    done = verified(here, there[:10], recorded=recorded(0.0))
    assert done.here is not None
    assert done.there is not None
    assert done.expected is not None
    assert round(done.there.outputs[0].sqnr_db - done.here.outputs[0].sqnr_db) == -20  # type: ignore[operator]
    assert round(done.expected.outputs[0].sqnr_db) == 10  # type: ignore[arg-type]


def test_with_a_confidence_the_record_is_held_to_it_and_a_change_is_doubted() -> None:
    """Of 2,000 recorded samples 6 are lost: that is sure to be less than a point; of the few that ran there it is not."""
    (fidelity,) = recorded(-0.3, 2_000).values()
    accuracy = Accuracy("top-1", 2_000, 90.0, 89.7, -0.3, -0.6, 0.0, lost=6, won=0)
    given = {"recorded": {INT8.id: replace(fidelity, accuracy=accuracy)}, "gate": Gate(confidence=99.0)}
    same = verified(FLOAT, FLOAT[:20], **given)
    assert same.expected is not None
    assert same.expected.accuracy is not None
    assert (same.passed, same.expected.accuracy.confidence) == (True, 99.0)
    assert -1.0 < same.expected.accuracy.low < accuracy.low
    assert verified(wrong(FLOAT, [3]), FLOAT[:20], **given).passed is False


def test_a_record_that_does_not_tell_the_asked_for_interval_is_not_used() -> None:
    done = verified(FLOAT, FLOAT[:20], recorded=recorded(-0.3), gate=Gate(confidence=99.0))
    assert done.expected is not None
    assert done.expected.samples == 50
