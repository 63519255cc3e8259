"""How often float and a candidate are right, where labels or a metric of the user's own can tell."""

import numpy as np
import numpy.typing as npt

from edgeq.embeddings import are_directions
from edgeq.errors import DataRefused
from edgeq.nouns.fidelity import Accuracy

from .error import pairs_of, right_answers
from .gate import USUAL_CONFIDENCE, Gate
from .own_metric import load_metric
from .samples_like import Array, SamplesLike


def accuracy_of(
    gate: Gate,
    reference: tuple[Array, ...],
    candidate: tuple[Array, ...],
    labels: "npt.NDArray[np.integer] | None",
    truth: Array | None = None,
) -> Accuracy | None:
    """`labels` are class numbers; `truth` is whatever came as labels, for a metric of the user's own.

    Gives float's and the candidate's score on the same samples, with the interval at the gate's confidence; None where there is neither metric nor labelled classes.
    """
    confidence = USUAL_CONFIDENCE if gate.confidence is None else gate.confidence
    if gate.metric is not None:
        truth = None if gate.ignore_labels else truth
        return load_metric(gate.metric).compare(reference, candidate, truth, confidence)
    which = class_scores(reference)
    if labels is None or which is None or gate.ignore_labels:
        return None
    require_classes(labels, reference[which].shape[1])
    float_right = right_answers(reference[which], labels)
    candidate_right = right_answers(candidate[which], labels)
    scores = 100.0 * float(np.mean(float_right)), 100.0 * float(np.mean(candidate_right))
    found = pairs_of(float_right, candidate_right)
    return Accuracy(
        "top-1",
        found.samples,
        *scores,
        found.difference,
        *found.interval(confidence),
        confidence=confidence,
        lost=found.lost,
        won=found.won,
    )


def require_classes(labels: "npt.NDArray[np.integer]", classes: int) -> None:
    """Raises DataRefused for labels that are no numbers of the model's classes."""
    if labels.min() < 0 or labels.max() >= classes:
        raise DataRefused(
            f"the labels go from {labels.min()} to {labels.max()}, but the model has classes 0 to {classes - 1}",
            "number the labels as the model's output does (is there a background class?)",
        )


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
        loose = samples.truth.dtype == object
        shape = "various shapes" if loose else f"shape {'x'.join(map(str, samples.truth.shape))}"
        kind = f"{'arrays' if loose else samples.truth.dtype} of {shape}"
        return f"the labels, {kind}, are no class numbers and go unused: --metric can use them"
    if class_scores(outputs) is None:
        return "the labels go unused, since no single output holds class scores: --metric can use them"
    return ""
