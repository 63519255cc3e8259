"""The rule that decides whether a candidate is close enough to float, and its words.

Rules, first that applies: a metric of the user's own and labels or not -> its drop; labels and class scores -> top-1
drop on the same samples; class scores -> agreement with float; anything else -> SQNR of every output.
"""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.errors import DataRefused
from edgeq.nouns.fidelity import Accuracy, Agreement, OutputError

from .error import paired_difference, right_answers
from .samples_like import Array

Metric = Callable[[tuple[Array, ...], "npt.NDArray[np.integer] | None"], float]


@dataclass(frozen=True)
class Gate:
    """`max_drop` in points (None: the default of 1), `min_agreement` in percent, `min_sqnr_db` in dB.

    The defaults come from measured models. Sound int8 classifiers agree with float on 98 % of samples and more with ten
    classes, on 93 % with a thousand (MobileNetV2, whose accuracy stays). A detector at 13 dB lost 1.2 points of AP50;
    one whose head lost its scale falls below 10 dB. `metric` is "file.py:function".
    """

    max_drop: float | None = None
    min_agreement: float = 90.0
    min_sqnr_db: float = 10.0
    metric: str | None = None

    @property
    def drop(self) -> float:
        return 1.0 if self.max_drop is None else self.max_drop


@dataclass(frozen=True)
class Verdict:
    """`rule` is what was applied, in words; `why_failed` is None when it holds."""

    rule: str
    why_failed: str | None

    @property
    def passed(self) -> bool:
        return self.why_failed is None


def decide(
    gate: Gate,
    accuracy: Accuracy | None,
    agreement: Agreement | None,
    outputs: tuple[OutputError, ...],
) -> Verdict:
    """Applies the first rule for which there are figures."""
    if accuracy is not None:
        rule = f"{accuracy.metric} may fall by at most {gate.drop:g} points"
        fell = -accuracy.difference
        return Verdict(rule, _unless(fell <= gate.drop, _words_of_drop(accuracy, gate.drop)))
    if agreement is not None:
        rule = f"at least {gate.min_agreement:g} % of samples keep float's first class"
        why = f"agrees with float on {agreement.top1:.1f} % of {agreement.samples} samples (limit {gate.min_agreement:g} %)"
        return Verdict(rule, _unless(agreement.top1 >= gate.min_agreement, why))
    rule = f"every output has an SQNR of at least {gate.min_sqnr_db:g} dB against float"
    low = [o for o in outputs if o.sqnr_db is not None and o.sqnr_db < gate.min_sqnr_db]
    why = ", ".join(f"output {o.output}: SQNR {o.sqnr_db:.1f} dB" for o in low)
    return Verdict(rule, _unless(not low, f"{why} (limit {gate.min_sqnr_db:g} dB)"))


def accuracy_of(
    gate: Gate,
    reference: tuple[Array, ...],
    candidate: tuple[Array, ...],
    labels: "npt.NDArray[np.integer] | None",
) -> Accuracy | None:
    """Float's and the candidate's score on the same samples; None where there is neither metric nor labelled classes.

    The interval of a metric of the user's own is that of a bootstrap over samples (200 draws, fixed seed): scores
    such as mean average precision are no mean over samples, so nothing closed applies.
    """
    if gate.metric is not None:
        return _by_metric(load_metric(gate.metric), gate.metric, reference, candidate, labels)
    which = class_scores(reference)
    if labels is None or which is None:
        return None
    float_right = right_answers(reference[which], labels)
    candidate_right = right_answers(candidate[which], labels)
    difference, low, high = paired_difference(float_right, candidate_right)
    scores = 100.0 * float(np.mean(float_right)), 100.0 * float(np.mean(candidate_right))
    return Accuracy("top-1", len(labels), *scores, difference, low, high)


def class_scores(outputs: tuple[Array, ...]) -> int | None:
    """The index of the output that holds class scores: the only one of shape [samples, classes] with >= 2 classes."""
    found = [
        k
        for k, o in enumerate(outputs)
        if o.dtype != object and o.ndim == 2 and o.shape[1] >= 2 and np.issubdtype(o.dtype, np.floating)
    ]
    return found[0] if len(found) == 1 else None


def load_metric(spec: str) -> Metric:
    """The function of "file.py:function". Raises DataRefused when it is not there."""
    file, _, name = spec.rpartition(":")
    path = Path(file)
    if not name or not path.is_file():
        raise DataRefused(f"--metric {spec}: there is no such file", "give it as path/to/file.py:function")
    found = importlib.util.spec_from_file_location(f"edgeq_metric_{path.stem}", path)
    assert found is not None and found.loader is not None  # a .py path always has a loader
    module = importlib.util.module_from_spec(found)
    try:
        found.loader.exec_module(module)
    except Exception as error:
        raise DataRefused(
            f"--metric {spec}: {file} does not load: {type(error).__name__}: {error}"
        ) from error
    function: Any = getattr(module, name, None)
    if not callable(function):
        raise DataRefused(
            f"--metric {spec}: {file} has no function {name!r}",
            "it is called as function(outputs, labels), outputs being one array [samples, ...] per model output",
        )
    return function  # type: ignore[no-any-return]


def _by_metric(
    metric: Metric,
    spec: str,
    reference: tuple[Array, ...],
    candidate: tuple[Array, ...],
    labels: "npt.NDArray[np.integer] | None",
) -> Accuracy:
    def score(outputs: tuple[Array, ...], rows: "npt.NDArray[np.intp] | None" = None) -> float:
        try:
            if rows is None:
                return float(metric(outputs, labels))
            drawn = tuple(o[rows] for o in outputs)
            return float(metric(drawn, None if labels is None else labels[rows]))
        except Exception as error:
            raise DataRefused(f"--metric {spec} failed: {type(error).__name__}: {error}") from error

    n = len(reference[0])
    float_score, candidate_score = score(reference), score(candidate)
    draws = np.random.default_rng(0).integers(0, n, size=(200, n))
    differences = [score(candidate, rows) - score(reference, rows) for rows in draws]
    low, high = (float(q) for q in np.quantile(differences, (0.025, 0.975)))
    name = spec.rpartition(":")[2]
    return Accuracy(name, n, float_score, candidate_score, candidate_score - float_score, low, high)


def _words_of_drop(a: Accuracy, limit: float) -> str:
    return (
        f"{a.metric} fell by {-a.difference:.1f} points (limit {limit:g}): {a.float_score:.1f} -> "
        f"{a.candidate_score:.1f} on {a.samples} samples, 95 % interval {a.low:+.1f} to {a.high:+.1f}"
    )


def _unless(holds: bool, why: str) -> str | None:
    return None if holds else why
