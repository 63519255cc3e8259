"""An emulated CPU's outputs compared with this machine's and with float's, and what the gate says of them.

Few samples run under emulation, and a drop of one point is one sample in a hundred. So the gate is not asked about these
few alone but about what the candidate costs here, on every sample, with what changes from here to there on those that ran
in both: where nothing changes nothing is doubted, and a change counts in full. Beside the gate stands the check that every
deployment makes on the device, since what it refuses there will not go live.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from edgeq.class_scores import class_scores
from edgeq.nouns.bundle import Candidate
from edgeq.nouns.fidelity import Accuracy, Agreement, Fidelity
from edgeq.nouns.report import DeviceCheck
from edgeq.nouns.verification import Closeness, Verified
from edgeq.quantize.evaluate.accuracy import accuracy_of, why_unused
from edgeq.quantize.evaluate.confidence import at_confidence
from edgeq.quantize.evaluate.gate import Gate, decide
from edgeq.quantize.evaluate.judge import agreement_of, errors_of, scores_among
from edgeq.quantize.samples import Array, SamplesLike
from edgeq.report.device_check import check_outputs

from .answers import Answers


@dataclass(frozen=True)
class Baseline:
    """What every candidate is compared with: the samples with their labels, float's answers on this machine to all of
    them (None where the bundle has no float), and what was found out when the bundle was made, on more samples than it
    carries (empty where the samples are others). `names` are the model's outputs.
    """

    samples: SamplesLike
    float_outputs: tuple[Array, ...] | None
    recorded: Mapping[str, Fidelity]
    names: tuple[str, ...]
    gate: Gate


def compare(baseline: Baseline, candidate: Candidate, here: Answers, there: Answers) -> Verified:
    """`here` has all samples, `there` the first of them."""
    reference = here.outputs if baseline.float_outputs is None else baseline.float_outputs
    n = min(there.count, here.count, len(reference[0]))
    few_there = _first(n, there.outputs)
    few_here, few_float = _first(n, here.outputs), _first(n, reference)
    scores = _scores(baseline, reference)
    moved = _closeness(baseline, scores, few_here, few_there)
    near, far = (
        _closeness(baseline, scores, few_float, few_here),
        _closeness(baseline, scores, few_float, few_there),
    )
    same_bits = all(np.array_equal(a, b) for a, b in zip(few_here, few_there, strict=True))
    home = _at_home(baseline, candidate, scores, reference, here)
    expected = home if same_bits else _expected(home, moved, near, far)
    check = None
    if baseline.float_outputs is not None:
        check = check_outputs(few_here, few_there, few_float, baseline.samples.labels, n)
    gate = baseline.gate.of(candidate.recipe)
    rule, why_failed = _verdict(baseline, gate, expected, why_unused(baseline.samples, reference), check)
    return Verified(
        candidate=candidate.id,
        runtime_version=there.version,
        samples=n,
        offered=there.offered,
        limited_by=there.limited_by,
        same_bits=same_bits,
        moved=moved,
        here=near,
        there=far,
        expected=expected,
        device_check=check,
        gate=rule,
        passed=why_failed is None,
        why_failed=why_failed,
        seconds=there.seconds,
    )


def _verdict(
    baseline: Baseline, asked: Gate, expected: Closeness, unused: str, check: DeviceCheck | None
) -> tuple[str, str | None]:
    """The gate's rule, and why it or the device's check refuses the candidate."""
    gate = decide(asked, expected.accuracy, expected.agreement, expected.outputs, unused)
    failed = [
        gate.why_failed,
        f"`edgeq deploy` would refuse it: {check.why}" if check and not check.passed else None,
    ]
    rule = gate.rule
    if baseline.float_outputs is None:
        rule += ", compared with this machine: the bundle has no float candidate"
    return rule, "; ".join(filter(None, failed)) or None


def _first(n: int, outputs: tuple[Array, ...]) -> tuple[Array, ...]:
    return tuple(o[:n] for o in outputs)


def _scores(baseline: Baseline, reference: tuple[Array, ...]) -> int | None:
    """As was settled when the bundle was made, else by all samples: the few that ran there tell less."""
    recorded = [f for f in baseline.recorded.values() if f.outputs]
    if len(reference) > 1 or not recorded or baseline.gate.min_agreement is not None:
        return scores_among(baseline.gate, reference, baseline.samples, baseline.names)
    return class_scores(reference, labelled=True) if any(f.agreement for f in recorded) else None


def _closeness(
    baseline: Baseline, scores: int | None, reference: tuple[Array, ...], outputs: tuple[Array, ...]
) -> Closeness:
    n = len(outputs[0])
    labels = None if baseline.samples.labels is None else baseline.samples.labels[:n]
    truth = None if baseline.samples.truth is None else baseline.samples.truth[:n]
    return Closeness(
        samples=n,
        outputs=errors_of(baseline.names, reference, outputs, scores),
        agreement=agreement_of(reference, outputs, scores),
        accuracy=accuracy_of(baseline.gate, reference, outputs, labels, truth),
    )


def _at_home(
    baseline: Baseline, candidate: Candidate, scores: int | None, reference: tuple[Array, ...], here: Answers
) -> Closeness:
    """What the candidate costs on this machine: as recorded, or on all samples that there are now."""
    recorded = baseline.recorded.get(candidate.id)
    accuracy = _as_asked(recorded.accuracy, baseline.gate) if recorded else None
    untold = recorded is not None and recorded.accuracy is not None and accuracy is None
    if recorded is None or untold or baseline.float_outputs is None or baseline.gate.metric is not None:
        n = min(here.count, len(reference[0]))
        return _closeness(baseline, scores, _first(n, reference), _first(n, here.outputs))
    return Closeness(recorded.samples, recorded.outputs, recorded.agreement, accuracy)


def _as_asked(accuracy: Accuracy | None, gate: Gate) -> Accuracy | None:
    """With its interval at the confidence that is asked for now; None where the recorded figures do not tell."""
    if accuracy is None or gate.confidence is None:
        return accuracy
    return at_confidence(accuracy, gate.confidence)


def _expected(home: Closeness, moved: Closeness, here: Closeness, there: Closeness) -> Closeness:
    return Closeness(
        samples=home.samples,
        outputs=tuple(
            replace(
                o,
                sqnr_db=_shifted(h.sqnr_db, n.sqnr_db, o.sqnr_db),
                typical_db=_shifted(h.typical_db, n.typical_db, o.typical_db),
                worst_sequence_db=h.worst_sequence_db,
            )
            for h, n, o in zip(home.outputs, here.outputs, there.outputs, strict=True)
        ),
        agreement=_agreement(home.agreement, here.agreement, there.agreement),
        accuracy=_accuracy(home.accuracy, moved.accuracy),
    )


def _shifted(home: float | None, here: float | None, there: float | None) -> float | None:
    """dB; None means equal to float, from which no difference can be taken."""
    return there if home is None or here is None or there is None else home + there - here


def _agreement(home: Agreement | None, here: Agreement | None, there: Agreement | None) -> Agreement | None:
    if home is None or here is None or there is None:
        return there
    return replace(home, top1=min(100.0, max(0.0, home.top1 + there.top1 - here.top1)), top5=None)


def _accuracy(home: Accuracy | None, change: Accuracy | None) -> Accuracy | None:
    """The intervals' ends are added: wider than the truth, never narrower."""
    if home is None or change is None:
        return change
    return replace(
        home,
        candidate_score=home.candidate_score + change.difference,
        difference=home.difference + change.difference,
        low=home.low + change.low,
        high=home.high + change.high,
        lost=None,
        won=None,
    )
