"""Compares a candidate's outputs with float's, on samples that did not calibrate it, and applies the gate."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgeq.class_scores import are_no_classes, class_scores, why_none
from edgeq.errors import ConversionFailed
from edgeq.nouns.fidelity import Agreement, Fidelity, OutputError
from edgeq.nouns.model import Model
from edgeq.quantize.closed_loop import SequencePart
from edgeq.quantize.evaluate.accuracy import accuracy_of, why_unused
from edgeq.quantize.evaluate.float_runner import FloatRunner, float_runner
from edgeq.quantize.evaluate.gate import Gate, decide
from edgeq.quantize.evaluate.integer_outputs import about_mean_db, equal_beyond_usual, selections
from edgeq.quantize.evaluate.kept_outputs import KeptOutputs
from edgeq.quantize.evaluate.sqnr import (
    agreement,
    are_integers,
    equal_values,
    largest_error,
    per_sample_powers,
    pooled_db,
)
from edgeq.quantize.evaluate.sqnr_breakdown import (
    no_longer_varies,
    small_values,
    typical_db,
    worst_sequence_db,
)
from edgeq.quantize.run_model import Progress, Runner, load, no_progress, run
from edgeq.quantize.samples import Array, SamplesLike

FLOAT_STAGE, STAGE = "run the float model", "compare with float"
_SMALL_DB = 10.0  # below it, small values next to larger ones are reported
_KEPT = 4  # references held at once; a process that converts many models must not keep them all


@dataclass(frozen=True)
class FloatReference:
    """The float model's `outputs` as its graph defines them; `differs_db`: the SQNR in dB of what onnxruntime computes from
    its optimised graph, None where that is the same (float_runner.py).
    """

    outputs: tuple[Array, ...]
    differs_db: float | None


_references: dict[tuple[str, str, str], FloatReference] = {}


def float_reference(
    model: Model,
    heldout: SamplesLike,
    workdir: Path,
    *,
    threads: int = 1,
    cache: Path | None = None,
    progress: Progress = no_progress,
) -> FloatReference:
    """Of the float model over `heldout`, computed once per model and samples in this process, and with a `cache` in all.

    The ONNX graph is the reference where there is one, also for TFLite candidates: so a converter that changes the
    model is caught too.
    """
    format = "onnx" if "onnx" in model.files else next(iter(model.files))
    key = (model.sha256, heldout.sha256, model.files[format])
    if key not in _references:
        while len(_references) >= _KEPT:
            _references.pop(next(iter(_references)))
        how = {"float": [model.quantized, format], "threads": threads}
        kept = KeptOutputs(cache, Path(model.files[format]), heldout, **how)
        known = kept.find()
        if known is None:
            known = _run_float(model, format, heldout, workdir, threads, progress)
            kept.keep(*known)
        _references[key] = FloatReference(*known)
    return _references[key]


def _run_float(
    model: Model, format: str, heldout: SamplesLike, workdir: Path, threads: int, progress: Progress
) -> tuple[tuple[Array, ...], float | None]:
    path = Path(model.files[format])
    progress(FLOAT_STAGE, 0.0)
    if model.quantized is None:
        opened = float_runner(path, format, threads, heldout)
    else:  # by definition it multiplies floats, where the runtime multiplies integers
        opened = FloatRunner(load(path, format, threads))
    outputs = run(opened.runner, heldout, workdir / "reference", progress=progress, stage=FLOAT_STAGE)
    return outputs, opened.differs_db


def judge(
    candidate_id: str,
    runner: Runner,
    reference: tuple[Array, ...],
    heldout: SamplesLike,
    gate: Gate,
    scratch: Path,
    *,
    same_samples: bool,
    names: tuple[str, ...],
    kept: KeptOutputs | None = None,
    progress: Progress = no_progress,
) -> Fidelity:
    """Runs the candidate over `heldout`, unless its outputs are `kept`, and applies the gate; `names` are the model's own output
    names.
    """
    known = kept.find() if kept is not None else None
    if known is not None:
        outputs, _ = known
    else:
        outputs = run(runner, heldout, scratch, progress=progress, stage=STAGE)
        if kept is not None:
            kept.keep(outputs)
    if len(outputs) != len(reference):
        raise ConversionFailed(f"{candidate_id} has {len(outputs)} outputs where float has {len(reference)}")
    scores = scores_among(gate, reference, heldout, names)
    sequences = heldout.sequence.sequence_numbers if isinstance(heldout, SequencePart) else None
    errors = errors_of(names, reference, outputs, scores, sequences)
    agrees = agreement_of(reference, outputs, scores)
    accuracy = accuracy_of(gate, reference, outputs, heldout.labels, heldout.truth)
    verdict = decide(gate, accuracy, agrees, errors, why_unused(heldout, reference))
    judged = Fidelity(
        candidate_id,
        heldout.count,
        errors,
        agreement=agrees,
        accuracy=accuracy,
        same_samples=same_samples,
        gate=verdict.rule,
        closed_loop=heldout.sequence.samples.count if isinstance(heldout, SequencePart) else None,
    )
    return replace(judged, passed=verdict.passed, why_failed=verdict.why_failed, bound=verdict.bound)


def scores_among(
    gate: Gate, reference: tuple[Array, ...], samples: SamplesLike, names: tuple[str, ...]
) -> int | None:
    """Which of float's outputs holds class scores: by labels, by an agreement that is asked for, or by its values
    (edgeq/class_scores.py). Labels that are no classes say that none does.
    """
    labelled = samples.labels is not None or gate.min_agreement is not None
    shapes = () if labelled else tuple(np.shape(a) for a in samples[0])
    found = class_scores(reference, shapes, labelled=labelled, names=names)
    if found is None or labelled or samples.truth is None or gate.ignore_labels:
        return found
    return None if are_no_classes(samples.truth, reference[found].shape[1]) else found


def why_no_scores(
    gate: Gate, reference: tuple[Array, ...], samples: SamplesLike, names: tuple[str, ...]
) -> str:
    """What the values of the only output that could hold class scores have against it, in words, where they decide; else
    empty.
    """
    if samples.truth is not None or gate.min_agreement is not None or gate.metric is not None:
        return ""
    return why_none(reference, tuple(np.shape(a) for a in samples[0]), names)


def errors_of(
    names: tuple[str, ...],
    reference: tuple[Array, ...],
    outputs: tuple[Array, ...],
    scores: int | None,
    sequences: "npt.NDArray[np.integer] | None" = None,
) -> tuple[OutputError, ...]:
    """`scores`: the output that holds class scores; `sequences`: the number of each step's sequence, where samples are steps."""
    selected = selections(reference)
    return tuple(
        _error_of_integers(name, r, c, k in selected)
        if are_integers(r)
        else _error_of(name, r, c, k == scores, sequences)
        for k, (name, r, c) in enumerate(zip(names, reference, outputs, strict=True))
    )


def _error_of(
    name: str,
    reference: Array,
    output: Array,
    are_scores: bool,
    sequences: "npt.NDArray[np.integer] | None",
) -> OutputError:
    """Of class scores the largest counts, however small the others are; but one that no longer varies is none, for whatever
    sample.
    """
    powers = per_sample_powers(reference, output)
    largest = largest_error(reference, output)
    constant = no_longer_varies(reference, output, scores=are_scores)
    found = OutputError(name, pooled_db(*powers), largest, typical_db=typical_db(*powers), constant=constant)
    if sequences is not None:
        found = replace(found, worst_sequence_db=worst_sequence_db(*powers, sequences))
    small = None if are_scores else small_values(reference, output)
    if small is None or small.sqnr_db >= _SMALL_DB:
        return found
    which = f"{small.count} of {small.of} along axis {small.axis}"
    return replace(found, small_db=small.sqnr_db, small=which)


def _error_of_integers(name: str, reference: Array, output: Array, selected: bool) -> OutputError:
    return OutputError(
        name,
        None,
        largest_error(reference, output),
        equal_values(reference, output),
        constant="" if selected else no_longer_varies(reference, output, channels=False),
        equal_beyond_usual=equal_beyond_usual(reference, output),
        about_mean_db=about_mean_db(reference, output),
        selected=selected,
    )


def agreement_of(
    reference: tuple[Array, ...], outputs: tuple[Array, ...], scores: int | None
) -> Agreement | None:
    """Only where class scores, in output `scores`, are the whole answer: a detector's scores are not."""
    if scores is None or len(reference) > 1 or outputs[scores].shape != reference[scores].shape:
        return None
    r, c = reference[scores], outputs[scores]
    top5 = agreement(r, c, 5) if r.shape[1] > 5 else None
    return Agreement(len(r), agreement(r, c), top5)
