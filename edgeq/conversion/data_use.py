"""What the samples are used for and by which rule candidates are judged on them, before any is made."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgeq.conversion.conversion_job import ConversionJob
from edgeq.conversion.random_samples import RandomSamples
from edgeq.nouns.data import DataUse
from edgeq.nouns.model import Model, Varied
from edgeq.nouns.project import Gates
from edgeq.plain_text import counted

if TYPE_CHECKING:
    from edgeq.ingest.samples import Samples
    from edgeq.ingest.split import Split
    from edgeq.quantize.closed_loop import SequencePart
    from edgeq.quantize.evaluate.gate import Gate
    from edgeq.quantize.evaluate.judge import FloatReference
    from edgeq.quantize.samples import SamplesLike

_FEW = 8  # samples that calibrate


@dataclass(frozen=True)
class SampleSplit:
    """The samples by their use; random input where there are no data. `same_samples`: one sample calibrates and judges.
    `data_sha256` names the samples that calibrate by their stored contents, None without. `training`: those that a network is trained
    and validated on, where one is (training_samples.py). `state_warnings`: warnings of what may be
    fed back, and of what is fed back by its name alone.
    """

    all: "Samples | None"
    calibration: "Samples | SequencePart | None"
    heldout: "SamplesLike"
    same_samples: bool
    data_sha256: str | None = None
    state_warnings: tuple[str, ...] = ()
    training: "Samples | None" = None


def divide(
    samples: "Samples | None", model: Model, job: ConversionJob, *, trains: bool = False
) -> SampleSplit:
    """`trains`: some are for a training. Raises DataRefused when nothing is left to calibrate or to judge with, or too little to train on."""
    if samples is None:
        return SampleSplit(None, None, RandomSamples(model.inputs), False)
    parts = split_samples(samples, job, trains=trains)
    return SampleSplit(
        _without_ignored_labels(samples, job),
        parts.calibration,
        parts.heldout,
        parts.same,
        parts.calibration.sha256,
        training=parts.training,
    )


def split_samples(samples: "Samples", job: ConversionJob, *, trains: bool) -> "Split":
    """Raises as `divide`."""
    if trains:
        from edgeq.conversion.training_samples import split_for_training

        return split_for_training(_without_ignored_labels(samples, job), calibrate=job.request.calibrate)
    from edgeq.ingest.split import split

    return split(_without_ignored_labels(samples, job), calibrate=job.request.calibrate)


def _without_ignored_labels(samples: "Samples", job: ConversionJob) -> "Samples":
    return samples.without_labels() if job.gates.ignore_labels else samples


def gate_of(gates: Gates, *, refuses: bool = True) -> "Gate":
    from edgeq.quantize.evaluate.gate import Gate

    limits = {key: value for key, value in gates.to_dict().items() if value is not None}
    return Gate(**limits, refuses=refuses)


def data_use(
    job: ConversionJob, gate: "Gate", model: Model, split: SampleSplit, computed: "FloatReference"
) -> DataUse:
    """`computed` by float of the samples that judge. Raises DataRefused for labels on which it only guesses, a metric that fails,
    and a limit that was asked for and cannot be applied.
    """
    from edgeq.ingest.labels import words
    from edgeq.quantize.evaluate.gate_rule import gate_rule
    from edgeq.quantize.evaluate.judge import scores_among, why_no_scores
    from edgeq.quantize.plan import NO_FLOAT

    reference = computed.outputs
    names = tuple(spec.name for spec in model.outputs)
    which = scores_among(gate, reference, split.heldout, names)
    truth, notes = (split.all.stored.truth, split.all.notes) if split.all else (None, ())
    numbered = () if which is None else tuple(_numbering(split.all, reference[which].shape[1]))
    inputs = [spec.name for spec in model.inputs]
    rule = gate_rule(gate, reference, split.heldout, inputs, known=(*notes, *numbered), names=names)
    no_scores = why_no_scores(gate, reference, split.heldout, names) if split.all else ""
    train, validate = _trained_on(split)
    return DataUse(
        source=None if job.data is None else str(job.data),
        calibrate=split.calibration.count if split.calibration else 0,
        judge=split.heldout.count,
        gate=NO_FLOAT if model.quantized else rule.rule,
        labels="labels ignored (--ignore-labels)" if job.gates.ignore_labels else words(truth),
        metric=rule.metric,
        float_score=rule.float_score,
        warnings=(*rule.warnings, *_warnings(split, computed.differs_db, numbered)),
        notes=(*notes, *_notes(model, split, no_scores)),
        states=tuple(f"{output}={given}" for output, given, _ in _states_in(model, split.heldout)),
        as_it_came=model.quantized is not None,
        train=train,
        validate=validate,
    )


def _trained_on(split: SampleSplit) -> tuple[int, int]:
    """How many samples a training learns from, and how many validate it."""
    if split.training is None:
        return 0, 0
    from edgeq.conversion.training_samples import parts_of

    parts = parts_of(split.training)
    return len(parts.train), len(parts.validation)


def _warnings(split: SampleSplit, differs_db: float | None, numbered: tuple[str, ...]) -> Iterator[str]:
    if differs_db is not None:
        yield (
            f"onnxruntime's optimised float differs from the graph's definition by {differs_db:.1f} dB SQNR, a fault of the "
            "runtime: candidates, float as onnxruntime runs it included, are compared with the graph's definition"
        )
    yield from split.state_warnings
    yield from numbered
    if split.calibration is None:
        return
    if _is_constant(split.calibration):
        values = ", ".join(f"{array.flat[0]:g}" for array in split.calibration[0] if array.size)
        yield f"all calibration values are {values}: ranges of a constant calibration set fit no other data"
    if split.calibration.count < _FEW:
        yield (
            f"{counted(split.calibration.count, 'sample')} to calibrate: ranges from so few may clip other samples, and "
            f"{counted(split.heldout.count, 'sample')} to judge would not show it; use 100 of each"
        )


def _notes(model: Model, split: SampleSplit, no_scores: str) -> Iterator[str]:
    if split.all is not None and split.calibration is not None:
        # Of samples that are equal byte for byte, those that would both calibrate and judge.
        fitted_to = split.calibration if split.training is None else split.training
        count, used = (
            split.all.count,
            fitted_to.count + (0 if split.same_samples else split.heldout.count),
        )
        if used < count:
            different = len(set(split.all.keys))
            yield f"{count:,} samples, {different:,} different: {count - used:,} duplicates are not used"
    if model.varied is not None and model.varied.shapes > 1:
        yield _of_shapes(model.varied)
    yield from _of_states(model, split.heldout)
    if no_scores:
        yield f"the output does not look like class scores: {no_scores} (if it is, use --min-agreement)"


def _states_in(model: Model, heldout: "SamplesLike") -> Iterator[tuple[str, str, str]]:
    """Of each state that is fed back its output, its input, and how that was found out."""
    from edgeq.quantize.closed_loop import SequencePart

    for state in heldout.sequence.states if isinstance(heldout, SequencePart) else ():
        yield model.outputs[state.output].name, model.inputs[state.input].name, state.by


def _of_states(model: Model, heldout: "SamplesLike") -> Iterator[str]:
    """How candidates with states are judged."""
    from edgeq.quantize.closed_loop import SequencePart

    if not isinstance(heldout, SequencePart):
        return
    states = _states_in(model, heldout)
    named = ", ".join(f"{output} is fed back into {given} ({by})" for output, given, by in states)
    starts = len(heldout.sequence.starts)
    how = f"{heldout.sequence.samples.count:,} steps in {counted(starts, 'sequence')}"
    calibrated = "; calibrated with float's states, which the samples do not store" if heldout.inputs else ""
    alone = "; one recording only: others may lose more (put several in one file to judge each)"
    yield (
        f"{named}: float and each candidate run with their own state over {how}, {heldout.count:,} of them "
        f"judged{calibrated} (--states none judges each step on its own){alone if starts == 1 else ''}"
    )


def _of_shapes(found: Varied) -> str:
    from edgeq.ingest.varied import text

    differing = [name for name, shape in found.smallest.items() if shape != found.largest[name]]
    ranges = ", ".join(f"{n} {text(found.smallest[n])} to {text(found.largest[n])}" for n in differing)
    device = ", ".join(f"{name} {text(found.device[name])}" for name in differing)
    return (
        f"samples of {found.shapes:,} shapes, {ranges}: each calibrates or judges with its own; the device checks and "
        f"measures with {device}, the most frequent of those that judge"
    )


def _is_constant(samples: "Samples | SequencePart") -> bool:
    """Reads no further than to the first value that differs."""
    first = [array.flat[0] for array in samples[0] if array.size]
    return not any(
        (array != value).any()
        for sample in samples
        for array, value in zip((a for a in sample if a.size), first, strict=True)
    )


def _numbering(samples: "Samples | None", classes: int) -> Iterator[str]:
    """That folders were numbered by their names' order says nothing where the model has more classes than there are."""
    folders = samples.stored.folders if samples else None
    if folders is not None and folders.by_name and classes > len(folders.names):
        yield (
            f"the model has {classes:,} classes and there are {len(folders.names):,} class folders, whose names are no "
            "numbers: name them by class number, or write labels.csv, unless the model's first classes are these in this order"
        )
