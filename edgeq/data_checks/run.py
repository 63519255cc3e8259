"""All checks, the cheap and certain ones first."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from edgeq.data_checks.better import better_with_labels, surer_without_labels
from edgeq.data_checks.colourless import blank, gray
from edgeq.data_checks.confidence import scores_of, scores_output
from edgeq.data_checks.crop import small_crop
from edgeq.data_checks.evidence import SAMPLES, Evidence, begin
from edgeq.data_checks.guessing import guesses
from edgeq.data_checks.input_scale import wrong_scale
from edgeq.data_checks.label_numbers import impossible, numbered_otherwise, one_class
from edgeq.data_checks.layout import wrong_layout
from edgeq.data_checks.levels import few_levels
from edgeq.data_checks.not_finite import require_finite
from edgeq.data_checks.one_answer import FEWEST, one_answer
from edgeq.data_checks.work import Work, cost_of
from edgeq.ingest.float_model import FloatModel
from edgeq.ingest.samples import Samples
from edgeq.nouns.data_check import DataFinding
from edgeq.quantize.evaluate.accuracy import Scored

_FINITE, _ANSWERS = 0.3, 0.5  # shares of the work that is left


@dataclass(frozen=True)
class Checked:
    """The samples that were checked and the findings, the most certain first."""

    evidence: Evidence
    findings: tuple[DataFinding, ...]


def check(samples: Samples, model: FloatModel, *, use_labels: bool = True) -> Checked:
    """Raises DataRefused for samples that hold NaN or do not fit the inputs; everything else is a finding."""
    work, cost = Work.of(), cost_of(samples, model)
    require_finite(samples, cost, work.part(_FINITE))
    evidence = begin(samples, model, cost, work)
    evidence.read_until(SAMPLES, work.part(_ANSWERS))
    numbers = samples.labels if use_labels else None
    found = list(_findings(evidence, numbers))
    return Checked(evidence, tuple(sorted(found, key=lambda finding: not finding.certain)))


def _findings(evidence: Evidence, numbers: "np.ndarray | None") -> Iterator[DataFinding]:
    likely = evidence.samples.stored.likely_labels
    if likely:
        yield DataFinding("labels_unnamed", f"{likely}, and accuracy is judged by them", "")
    yield from small_crop(evidence)
    layout = [*wrong_layout(evidence)]
    yield from layout
    yield from gray(evidence)
    yield from blank(evidence)
    yield from few_levels(evidence)
    scale = [*wrong_scale(evidence, numbers is not None)]
    yield from scale
    scored = evidence.scored(numbers)
    if numbers is not None and scored is not None:
        yield from _of_labels(evidence, scored, numbers, wrong_scale=bool(scale))
    elif not layout:
        yield from _of_answers(evidence, wrong_scale=bool(scale))


def _of_labels(
    evidence: Evidence, scored: Scored, numbers: np.ndarray, *, wrong_scale: bool
) -> Iterator[DataFinding]:
    rows, labels = evidence.rows(), evidence.labels(numbers)
    assert labels is not None
    bad = [*impossible(scored, evidence, numbers)]
    if bad:
        yield from bad
        return
    answers, classes = scored.predictions(rows), scored.classes(rows, numbers)
    alike = [*one_class(numbers, answers)]
    if alike:
        yield from alike
        yield from guesses(evidence, scored, numbers)
        return
    if evidence.different >= FEWEST:
        yield from one_answer(answers, labels, classes)
    found = [*numbered_otherwise(answers, labels, classes)]
    found = found or [*better_with_labels(evidence, scored, numbers, scales_first=wrong_scale)]
    yield from found
    if not any(finding.certain for finding in found):
        yield from guesses(evidence, scored, numbers)


def _of_answers(evidence: Evidence, *, wrong_scale: bool) -> Iterator[DataFinding]:
    which = scores_output(evidence, labelled=False) if evidence.count > 1 else None
    if which is None:
        return
    scores = scores_of(evidence.outputs, which)
    if evidence.different >= FEWEST:
        yield from one_answer(scores.argmax(axis=1), None, scores.shape[1])
    if not wrong_scale:  # answers to it say nothing of the order
        yield from surer_without_labels(evidence, which)
