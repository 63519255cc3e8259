"""Labels outside the model's classes, labels of one class, and classes in another order."""

from collections.abc import Iterator

import numpy as np

from edgeq.data_checks.evidence import Evidence
from edgeq.data_checks.significance import surely_more
from edgeq.errors import DataRefused
from edgeq.nouns.data_check import DataFinding
from edgeq.quantize.evaluate.accuracy import Scored, require_classes

_FEWEST = 8
_OF_A_CLASS = 3  # samples that show what a class is answered as
_CONSISTENT = 0.6
_EXPLAINS = 0.6
_CLASSES = 3
_NAMED = 4
_TOLD = 20  # samples that show another order for certain


def impossible(scored: Scored, evidence: Evidence, numbers: np.ndarray) -> Iterator[DataFinding]:
    """All labels are checked, not only those of the evidence."""
    try:
        require_classes(numbers, scored.classes(evidence.rows(), numbers))
    except DataRefused as error:
        yield DataFinding(
            "labels_impossible",
            error.what,
            _from_one(scored, evidence, numbers) or error.remedy or "",
            certain=True,
        )


def _from_one(scored: Scored, evidence: Evidence, numbers: np.ndarray) -> str:
    """What to do where taking 1 from each label makes float right on most samples."""
    labels = evidence.labels(numbers)
    if labels is None:
        return ""
    right = scored.predictions(evidence.rows()) == labels - 1
    if right.mean() < 0.5:
        return ""
    return f"take 1 from every label: float is right then on {right.sum()} of {len(labels)} samples"


def one_class(numbers: np.ndarray, answers: np.ndarray) -> Iterator[DataFinding]:
    """`numbers` are all labels, `answers` float's to some of the samples."""
    if len(numbers) < _FEWEST or len(np.unique(numbers)) > 1:
        return
    given = len(np.unique(answers))
    others = f", but float predicts {given} classes on {len(answers)} of the samples" if given > 1 else ""
    yield DataFinding(
        "one_class",
        f"all {len(numbers):,} labels are class {numbers[0]}{others}",
        "accuracy on one class says little, and ranges calibrated on it fit no other: use samples of every class",
    )


def numbered_otherwise(answers: np.ndarray, labels: np.ndarray, classes: int) -> Iterator[DataFinding]:
    """At most one finding: labels that are all one too large or too small, or that name the classes in another order."""
    modal = _modal(answers, labels)
    kept = sum(count for _, count in modal.values())
    yield from [*_shifted(answers, labels, classes, kept), *_renumbered(answers, labels, modal)][:1]


def _shifted(answers: np.ndarray, labels: np.ndarray, classes: int, kept: int) -> Iterator[DataFinding]:
    """Labels that fit when one is added or taken away, as where a background class is counted or is not. `kept` is what any
    other numbering explains.
    """
    right = answers == labels
    for by in (1, -1):
        other = answers == labels + by
        if surely_more(other, right) and other.sum() >= _EXPLAINS * kept:
            what = "added to" if by > 0 else "taken from"
            why = "the model's class 0 is the background" if by > 0 else "they are numbered from 1"
            yield DataFinding(
                "labels_shifted",
                f"float is right on {right.sum()} of {len(labels)} samples, and on {other.sum()} with 1 {what} every label",
                f"number the labels as the model's output does; perhaps {why}",
                certain=_is_ruled_out(right, classes),
            )


def _modal(answers: np.ndarray, labels: np.ndarray) -> dict[int, tuple[int, int]]:
    """By label: float's most frequent prediction and its count, where there are enough samples."""
    found = {}
    for label in np.unique(labels):
        given, counts = np.unique(answers[labels == label], return_counts=True)
        if counts.sum() >= _OF_A_CLASS:
            found[int(label)] = int(given[counts.argmax()]), int(counts.max())
    return found


def _renumbered(
    answers: np.ndarray, labels: np.ndarray, modal: dict[int, tuple[int, int]]
) -> Iterator[DataFinding]:
    """Most samples of each label get one other class, a different one for each label."""
    if len(modal) < _CLASSES or len({answer for answer, _ in modal.values()}) < len(modal):
        return
    told = int(np.isin(labels, list(modal)).sum())
    kept = sum(count for _, count in modal.values())
    right = answers == labels
    wrong = {label: answer for label, (answer, _) in modal.items() if label != answer}
    if kept < _CONSISTENT * told or len(wrong) < 2 or 2 * right.sum() > kept:
        return
    shown = ", ".join(
        f"label {label} is float's class {answer}" for label, answer in list(wrong.items())[:_NAMED]
    )
    more = f" and {len(wrong) - _NAMED} more" if len(wrong) > _NAMED else ""
    yield DataFinding(
        "labels_renumbered",
        f"the labels number the classes in another order than the model, as {kept} of {told} samples show: {shown}{more}",
        "number the labels as the model's output does",
        certain=told >= _TOLD,
    )


def _is_ruled_out(right: np.ndarray, classes: int) -> bool:
    """Whether float is right no more often than by chance."""
    return bool(right.mean() <= 1.5 / classes)
