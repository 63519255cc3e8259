"""The rule that decides whether a candidate is close enough to float, and its words.

Rules, first that applies: a metric of the user's own, with labels or not -> its drop; labels and class scores -> top-1
drop on the same samples; one output [samples, classes] -> agreement with float, or a high SQNR, since nothing says that
these are class scores and not 64 regressed values; anything else -> SQNR of every output.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from edgeq.embeddings import are_directions
from edgeq.errors import DataRefused
from edgeq.nouns.fidelity import Accuracy, Agreement, OutputError
from edgeq.user_code import load_attribute, names_code, place_of

from .error import paired_difference, right_answers
from .samples_like import Array, SamplesLike

Metric = Callable[[tuple[Array, ...], "Array | None"], float]

_AGREEMENT = 90.0  # percent
_CLOSE_DB = 30.0  # the error has a thousandth of the signal's power: also good for values that are no scores


@dataclass(frozen=True)
class Gate:
    """`max_drop` in points (None: the default of 1), `min_agreement` in percent, `min_sqnr_db` in dB.

    The defaults come from measured models. Sound int8 classifiers agree with float on 98 % of samples and more with ten
    classes, on 93 % with a thousand (MobileNetV2, whose accuracy stays). A detector at 13 dB lost 1.2 points of AP50;
    one whose head lost its scale falls below 10 dB. `metric` is "file.py:function"; its scores are held against
    `max_drop` in its own unit, but those of 0 to 1 as 0 to 100 points. `min_agreement` None: the default of 90, or an
    SQNR of 30 dB; when it is given, it alone decides.
    """

    max_drop: float | None = None
    min_agreement: float | None = None
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
    unused: str = "",
) -> Verdict:
    """Applies the first rule for which there are figures; `unused` says why labels are none of them."""
    if accuracy is not None:
        rule = f"{accuracy.metric} may fall by at most {gate.drop:g} points"
        rule += "; its scores of 0 to 1 count as 0 to 100 points" if gate.metric and accuracy.scaled else ""
        fell = -accuracy.difference
        return Verdict(rule, _unless(fell <= gate.drop, _words_of_drop(accuracy, gate.drop)))
    verdict = _by_agreement(gate, agreement, outputs) if agreement is not None else _by_sqnr(gate, outputs)
    return replace(verdict, rule=f"{verdict.rule} ({unused})") if unused else verdict


def _by_agreement(gate: Gate, agreement: Agreement, outputs: tuple[OutputError, ...]) -> Verdict:
    limit = _AGREEMENT if gate.min_agreement is None else gate.min_agreement
    rule = f"at least {limit:g} % of samples keep float's first class"
    why = f"agrees with float on {agreement.top1:.1f} % of {agreement.samples} samples (limit {limit:g} %)"
    holds = agreement.top1 >= limit
    if gate.min_agreement is None:
        rule += f", or every output has an SQNR of at least {_CLOSE_DB:g} dB"
        close = bool(outputs) and all(o.sqnr_db is None or o.sqnr_db >= _CLOSE_DB for o in outputs)
        holds = holds or close
    return Verdict(rule, _unless(holds, why))


def _by_sqnr(gate: Gate, outputs: tuple[OutputError, ...]) -> Verdict:
    rule = f"every output has an SQNR of at least {gate.min_sqnr_db:g} dB against float"
    low = [o for o in outputs if o.sqnr_db is not None and o.sqnr_db < gate.min_sqnr_db]
    why = ", ".join(f"output {o.output}: SQNR {o.sqnr_db:.1f} dB" for o in low)
    return Verdict(rule, _unless(not low, f"{why} (limit {gate.min_sqnr_db:g} dB)"))


def accuracy_of(
    gate: Gate,
    reference: tuple[Array, ...],
    candidate: tuple[Array, ...],
    labels: "npt.NDArray[np.integer] | None",
    truth: Array | None = None,
) -> Accuracy | None:
    """`labels` are class numbers; `truth` is whatever came as labels, for a metric of the user's own.

    Gives float's and the candidate's score on the same samples; None where there is neither metric nor labelled classes.
    The interval of a metric of the user's own is that of a bootstrap over samples (200 draws, fixed seed): scores
    such as mean average precision are no mean over samples, so nothing closed applies.
    """
    if gate.metric is not None:
        return _by_metric(load_metric(gate.metric), gate.metric, reference, candidate, truth)
    which = class_scores(reference)
    if labels is None or which is None:
        return None
    classes = reference[which].shape[1]
    if labels.min() < 0 or labels.max() >= classes:
        raise DataRefused(
            f"the labels go from {labels.min()} to {labels.max()}, but the model has classes 0 to {classes - 1}",
            "number the labels as the model's output does (is there a background class?)",
        )
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
        if not are_directions(o)
    ]
    return found[0] if len(found) == 1 else None


def why_unused(samples: SamplesLike, outputs: tuple[Array, ...]) -> str:
    """Why labels that came with the samples say nothing about class scores; empty when they do, or none came."""
    if samples.truth is None:
        return ""
    if samples.labels is None:
        kind = f"{samples.truth.dtype} of shape {'x'.join(map(str, samples.truth.shape))}"
        return f"the labels, {kind}, are no class numbers and go unused: --metric can use them"
    if class_scores(outputs) is None:
        return "the labels go unused, since no single output holds class scores: --metric can use them"
    return ""


def load_metric(spec: str) -> Metric:
    """The function of "file.py:function". Raises DataRefused when it is not there."""
    if not names_code(spec):
        raise DataRefused(f"--metric {spec} names no function", "give it as path/to/file.py:function")
    function = load_attribute(spec, DataRefused)
    if not callable(function):
        raise DataRefused(
            f"--metric {spec} is no function",
            "it is called as function(outputs, labels), outputs being one array [samples, ...] per model output",
        )
    return function  # type: ignore[no-any-return]


def _by_metric(
    metric: Metric,
    spec: str,
    reference: tuple[Array, ...],
    candidate: tuple[Array, ...],
    truth: Array | None,
) -> Accuracy:
    def score(outputs: tuple[Array, ...], rows: "npt.NDArray[np.intp] | None" = None) -> float:
        try:
            if rows is None:
                return float(metric(outputs, truth))
            drawn = tuple(o[rows] for o in outputs)
            return float(metric(drawn, None if truth is None else truth[rows]))
        except Exception as error:
            words = f"--metric {spec} failed: {type(error).__name__}: {error}"
            raise DataRefused(words, details=place_of(error)) from error

    n = len(reference[0])
    float_score, candidate_score = score(reference), score(candidate)
    draws = np.random.default_rng(0).integers(0, n, size=(200, n))
    differences = [score(candidate, rows) - score(reference, rows) for rows in draws]
    low, high = (float(q) for q in np.quantile(differences, (0.025, 0.975)))
    # A score of 0 to 1, such as mean average precision, could never fall by more than the one point of the default.
    scaled = abs(float_score) <= 1.0 and candidate_score <= 1.0
    unit = 100.0 if scaled else 1.0
    return Accuracy(
        spec.rpartition(":")[2],
        n,
        unit * float_score,
        unit * candidate_score,
        unit * (candidate_score - float_score),
        unit * low,
        unit * high,
        scaled,
    )


def _words_of_drop(a: Accuracy, limit: float) -> str:
    return (
        f"{a.metric} fell by {-a.difference:.1f} points (limit {limit:g}): {a.float_score:.1f} -> "
        f"{a.candidate_score:.1f} on {a.samples} samples, 95 % interval {a.low:+.1f} to {a.high:+.1f}"
    )


def _unless(holds: bool, why: str) -> str | None:
    return None if holds else why
