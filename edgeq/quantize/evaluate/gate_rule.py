"""The rule that candidates will be judged by, found on float alone before any candidate is made, with float's own score.
A limit that was asked for and that nothing measures is refused here.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from edgeq.errors import DataRefused
from edgeq.quantize.evaluate.accuracy import (
    Guessing,
    against_guessing,
    require_classes,
    scored_by,
    why_unused,
)
from edgeq.quantize.evaluate.confidence import least_samples
from edgeq.quantize.evaluate.custom_metric import load_metric
from edgeq.quantize.evaluate.gate import Gate, cannot_pass_with, in_words, points, rules, unapplied
from edgeq.quantize.evaluate.integer_outputs import Integers, integers_of
from edgeq.quantize.evaluate.judge import agreement_of, scores_among
from edgeq.quantize.samples import Array, SamplesLike

_LOOKED_AT = 8


@dataclass(frozen=True)
class GateRule:
    """`rule` as a sentence. `metric` scores float with `float_score`, in percent or in its own unit; both None where neither
    labels nor a metric say anything. `classes`: how many float's scores tell apart, None without such an output.
    """

    rule: str
    metric: str | None = None
    float_score: float | None = None
    classes: int | None = None
    warnings: tuple[str, ...] = ()


def gate_rule(
    gate: Gate,
    reference: tuple[Array, ...],
    samples: SamplesLike,
    inputs: Sequence[str],
    known: Sequence[str] = (),
    names: Sequence[str] = (),
) -> GateRule:
    """`reference` are float's outputs over `samples`, `names` their names; `known` is what else would help to find out why
    labels do not fit.

    Raises DataRefused for labels on which float only guesses, for a metric that fails, and for a limit that was asked
    for and that nothing measures.
    """
    by = None if gate.ignore_labels else scored_by(reference, samples.labels)
    which = scores_among(gate, reference, samples, tuple(names))
    agreement = agreement_of(reference, reference, which) is not None
    unused = why_unused(samples, reference)
    scored = load_metric(gate.metric).name if gate.metric else by.name if by else None
    integers = integers_of(reference)
    if gate.refuses:
        _require_applied(gate, scored, agreement, unused, integers)
    counted = None if gate.metric or by is None else samples.count
    rule = in_words(gate, rules(gate, scored, agreement, integers, counted), integers)
    classes = None if which is None else reference[which].shape[1]
    warnings: tuple[str, ...] = (unused,) if unused and not gate.metric and not gate.ignore_labels else ()
    if gate.metric:
        score = load_metric(gate.metric).score(reference, None if gate.ignore_labels else samples.truth)
        return GateRule(rule, scored, score, classes)
    if by is None:
        return GateRule(rule, classes=classes, warnings=warnings)
    assert samples.labels is not None
    predictions, numbers = by.predictions(reference), by.classes(reference, samples.labels)
    require_classes(samples.labels, numbers)
    guessing = against_guessing(predictions, samples.labels, numbers)
    if guessing.knows_nothing:
        raise _refused(guessing, samples, inputs, numbers, known)
    if guessing.seems_to_guess:
        warnings = (f"{guessing}: check that samples and labels belong to this model",)
    warnings += _unreachable(gate, samples.count)
    return GateRule(
        rule, scored, 100.0 * guessing.right / guessing.samples, None if by.of_numbers else numbers, warnings
    )


def _unreachable(gate: Gate, samples: int) -> tuple[str, ...]:
    """Warnings that a candidate which loses nothing, and gains nothing, would still be refused."""
    if gate.confidence is None or not cannot_pass_with(gate, samples):
        return ()
    least = least_samples(gate.drop, gate.confidence)
    what = f"a limit of {points(gate.drop)} at {gate.confidence:g} % confidence"
    if least is None:
        return (f"{what} can be kept only by a candidate that is right more often than float",)
    return (
        f"{what} takes {least:,} held-out samples even if no prediction differs from float's, and there are "
        f"{samples:,}",
    )


def _require_applied(
    gate: Gate, scored: str | None, agreement: bool, unused: str, integers: Integers
) -> None:
    asked = unapplied(gate, scored, agreement, unused, integers)
    if asked:
        raise DataRefused(
            f"a gate that was asked for cannot be applied: {asked[0]}",
            "docs/data.md says how labels are given; --metric scores whatever a model puts out, --min-sqnr needs neither",
            details=asked[1:],
        )


def _refused(
    guessing: Guessing, samples: SamplesLike, inputs: Sequence[str], classes: int, known: Sequence[str]
) -> DataRefused:
    labels = samples.labels
    assert labels is not None
    favourite = f"{guessing.favourite_count:,} of {guessing.samples:,}"
    return DataRefused(
        f"{guessing}: the samples or labels do not belong to this model, so accuracy cannot be measured",
        "check how the samples are preprocessed (scale, mean, channel order, layout) and how the labels are numbered, or continue without labels: --ignore-labels",
        details=[
            *_ranges(samples, inputs),
            f"float's most frequent prediction is class {guessing.favourite}, on {favourite}",
            f"the labels are numbers from {labels.min()} to {labels.max()}, the model's classes 0 to {classes - 1}",
            *known,
        ],
    )


def _ranges(samples: SamplesLike, inputs: Sequence[str]) -> list[str]:
    first = [samples[i] for i in range(min(_LOOKED_AT, samples.count))]
    return [
        f"input {name} has values from {min(s[k].min() for s in first):.4g} to {max(s[k].max() for s in first):.4g} "
        f"in the first {len(first)} samples"
        for k, name in enumerate(inputs)
        if first[0][k].size
    ]
