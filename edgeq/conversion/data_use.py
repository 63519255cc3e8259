"""What the samples are used for and by which rule candidates are judged on them, before any is made."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgeq.conversion.order import Order
from edgeq.conversion.random_samples import RandomSamples
from edgeq.nouns.data import DataUse
from edgeq.nouns.model import Model
from edgeq.nouns.progress import Progress
from edgeq.plain_text import counted
from edgeq.request.tell import Tell

if TYPE_CHECKING:
    from edgeq.ingest.samples import Samples
    from edgeq.ingest.split import Split
    from edgeq.quantize.closed_loop import InSequence
    from edgeq.quantize.evaluate.gate import Gate
    from edgeq.quantize.samples import SamplesLike

_FEW = 8  # samples that calibrate


@dataclass(frozen=True)
class Parts:
    """The samples by their use; random input where there are no data. `same`: one sample calibrates and judges.
    `data_sha256` names the samples that calibrate by their stored contents, None without. `unsure`: warnings of what may be
    fed back, and of what is fed back by its name alone.
    """

    all: "Samples | None"
    calibration: "Samples | InSequence | None"
    heldout: "SamplesLike"
    same: bool
    data_sha256: str | None = None
    unsure: tuple[str, ...] = ()


def divide(samples: "Samples | None", model: Model, order: Order) -> Parts:
    """Raises DataRefused when nothing is left to calibrate or to judge with."""
    if samples is None:
        return Parts(None, None, RandomSamples(model.inputs), False)
    parts = split_as_ordered(samples, order)
    samples = samples.without_labels() if order.gates.ignore_labels else samples
    return Parts(samples, parts.calibration, parts.heldout, parts.same, parts.calibration.sha256)


def split_as_ordered(samples: "Samples", order: Order) -> "Split":
    """Raises DataRefused when nothing is left to calibrate or to judge with."""
    from edgeq.ingest.split import split

    return split(
        samples.without_labels() if order.gates.ignore_labels else samples, calibrate=order.asked.calibrate
    )


def gate_of(order: Order) -> "Gate":
    from edgeq.quantize.evaluate.gate import Gate

    limits = {key: value for key, value in order.gates.to_dict().items() if value is not None}
    return Gate(**limits, refuses=order.asked.refuse)


def settle_use(order: Order, gate: "Gate", model: Model, parts: Parts, work: Path, tell: Tell) -> DataUse:
    """Runs float over the held-out samples. Raises DataRefused for labels on which it only guesses, a metric that fails,
    and a limit that was asked for and cannot be applied.
    """
    from edgeq.ingest.labels import words
    from edgeq.quantize.evaluate.gate_rule import gate_rule
    from edgeq.quantize.evaluate.judge import float_reference, scores_among, why_no_scores
    from edgeq.quantize.plan import NO_FLOAT

    def progress(step: str, share: float) -> None:
        tell(Progress(step, share, 1.0, ""))

    computed = float_reference(model, parts.heldout, work, threads=order.target.threads, progress=progress)
    reference = computed.outputs
    names = tuple(spec.name for spec in model.outputs)
    which = scores_among(gate, reference, parts.heldout, names)
    truth, notes = (parts.all.stored.truth, parts.all.notes) if parts.all else (None, ())
    numbered = () if which is None else _numbering(parts.all, reference[which].shape[1])
    inputs = [spec.name for spec in model.inputs]
    rule = gate_rule(gate, reference, parts.heldout, inputs, known=(*notes, *numbered), names=names)
    return DataUse(
        source=None if order.data is None else str(order.data),
        calibrate=parts.calibration.count if parts.calibration else 0,
        judge=parts.heldout.count,
        gate=NO_FLOAT if model.quantized else rule.rule,
        labels="labels ignored (--ignore-labels)" if order.gates.ignore_labels else words(truth),
        metric=rule.metric,
        float_score=rule.float_score,
        warnings=(
            *rule.warnings,
            *_wrong_in_runtime(computed.differs_db),
            *parts.unsure,
            *numbered,
            *_constant(parts),
            *_few(parts),
        ),
        notes=(
            *notes,
            *_left_out(parts),
            *_of_shapes(model),
            *notes_of(model, parts),
            *_no_scores(why_no_scores(gate, reference, parts.heldout, names) if parts.all else ""),
        ),
        states=states_in(model, parts),
        as_it_came=model.quantized is not None,
    )


def _wrong_in_runtime(differs_db: float | None) -> tuple[str, ...]:
    if differs_db is None:
        return ()
    return (
        f"onnxruntime's optimised float differs from the graph's definition by {differs_db:.1f} dB SQNR, a fault of the "
        "runtime: candidates, float as onnxruntime runs it included, are compared with the graph's definition",
    )


def states_in(model: Model, parts: Parts) -> tuple[str, ...]:
    """Each state that is fed back as "output=input"."""
    from edgeq.quantize.closed_loop import InSequence

    if not isinstance(parts.heldout, InSequence):
        return ()
    states = parts.heldout.sequence.states
    return tuple(f"{model.outputs[s.output].name}={model.inputs[s.input].name}" for s in states)


def notes_of(model: Model, parts: Parts) -> tuple[str, ...]:
    """How candidates with states are judged."""
    from edgeq.quantize.closed_loop import InSequence

    if not isinstance(parts.heldout, InSequence):
        return ()
    sequence = parts.heldout.sequence
    named = [
        f"{model.outputs[s.output].name} is fed back into {model.inputs[s.input].name} ({s.by})"
        for s in sequence.states
    ]
    starts = len(sequence.starts)
    how = f"{sequence.samples.count:,} steps in {counted(starts, 'sequence')}"
    calibrated = (
        "; calibrated with float's states, which the samples do not store" if parts.heldout.inputs else ""
    )
    alone = (
        "; one recording only: others may lose more (put several in one file to judge each)"
        if starts == 1
        else ""
    )
    return (
        f"{', '.join(named)}: float and each candidate run with their own state over {how}, {parts.heldout.count:,} of them "
        f"judged{calibrated} (--states none judges each step on its own){alone}",
    )


def _no_scores(why: str) -> tuple[str, ...]:
    if not why:
        return ()
    return (f"the output does not look like class scores: {why} (if it is, use --min-agreement)",)


def _of_shapes(model: Model) -> tuple[str, ...]:
    from edgeq.ingest.varied import text

    if model.varied is None or model.varied.shapes == 1:
        return ()
    found = model.varied
    differing = [name for name, shape in found.smallest.items() if shape != found.largest[name]]
    ranges = ", ".join(f"{n} {text(found.smallest[n])} to {text(found.largest[n])}" for n in differing)
    device = ", ".join(f"{name} {text(found.device[name])}" for name in differing)
    return (
        f"samples of {found.shapes:,} shapes, {ranges}: each calibrates or judges with its own; the device checks and "
        f"measures with {device}, the most frequent of those that judge",
    )


def _few(parts: Parts) -> tuple[str, ...]:
    if parts.calibration is None or parts.calibration.count >= _FEW:
        return ()
    return (
        f"{counted(parts.calibration.count, 'sample')} to calibrate: ranges from so few may clip other samples, and "
        f"{counted(parts.heldout.count, 'sample')} to judge would not show it; use 100 of each",
    )


def _left_out(parts: Parts) -> tuple[str, ...]:
    """Of samples that are equal byte for byte, those that would both calibrate and judge."""
    if parts.all is None or parts.calibration is None:
        return ()
    count, used = parts.all.count, parts.calibration.count + (0 if parts.same else parts.heldout.count)
    if used == count:
        return ()
    different = len(set(parts.all.keys))
    return (f"{count:,} samples, {different:,} different: {count - used:,} duplicates are not used",)


def _constant(parts: Parts) -> tuple[str, ...]:
    """Reads no further than to the first value that differs."""
    if parts.calibration is None:
        return ()
    first = [array.flat[0] for array in parts.calibration[0] if array.size]
    if any(
        (array != value).any()
        for sample in parts.calibration
        for array, value in zip((a for a in sample if a.size), first, strict=True)
    ):
        return ()
    values = ", ".join(f"{value:g}" for value in first)
    return (f"all calibration values are {values}: ranges from them fit no other data",)


def _numbering(samples: "Samples | None", classes: int) -> tuple[str, ...]:
    """That folders were numbered by their names' order says nothing where the model has more classes than there are."""
    folders = samples.stored.folders if samples else None
    if folders is None or not folders.by_name or classes <= len(folders.names):
        return ()
    return (
        f"the model has {classes:,} classes and there are {len(folders.names):,} class folders, whose names are no "
        "numbers: name them by class number, or write labels.csv, unless the model's first classes are these in this order",
    )
