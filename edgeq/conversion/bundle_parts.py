"""Writes a conversion into a bundle: the candidates that passed, and next to them the figures about them."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgeq.bundle import CheckSet, assemble, sidecar_files, write_bundle
from edgeq.conversion.check_samples import choose_check_samples
from edgeq.conversion.conversion_job import ConversionJob, tool_versions
from edgeq.conversion.data_use import SampleSplit
from edgeq.conversion.standings import in_bundle
from edgeq.nouns.bundle import Candidate
from edgeq.nouns.data import DataUse
from edgeq.nouns.model import Model
from edgeq.nouns.plan import Plan
from edgeq.nouns.record import canonical_json
from edgeq.nouns.tensor import Preprocessing
from edgeq.nouns.tradeoff import Tradeoff

if TYPE_CHECKING:
    from edgeq.quantize.made import Made
    from edgeq.quantize.samples import SamplesLike

MODEL, PLAN, DATA, ORDER, TRADEOFF = "model.json", "plan.json", "data.json", "order", "tradeoff.json"


def write(
    place: Path,
    job: ConversionJob,
    model: Model,
    plan: Plan,
    use: DataUse,
    made: "tuple[Made, ...]",
    split: SampleSplit,
    preprocessing: Preprocessing | None,
    tradeoff: Tradeoff | None = None,
) -> None:
    """Candidates that failed the gate, break a limit, or are none that `tradeoff` would choose are left out; their figures are kept."""
    passed = [m for m in made if m.fidelity.passed]
    if tradeoff is not None:
        kept = in_bundle(tradeoff, one_per_speed=job.request.one_per_speed)
        passed = [m for m in passed if m.plan.id in kept]
    manifest, artifacts = assemble(
        name=job.name,
        target=job.target.name,
        source_sha256=model.sha256,
        data_sha256=split.data_sha256,
        inputs=model.inputs,
        outputs=model.outputs,
        preprocessing=preprocessing,
        threads=job.target.threads,
        built=[(_candidate(m, model), m.path) for m in passed],
        own={m.plan.id: (m.quantized_inputs, m.quantized_outputs) for m in passed if m.quantized_inputs},
        classes=_class_names(model, split),
    )
    check = _check_set(tuple(passed), model, split.heldout)
    beside = {
        **sidecar_files([m.fidelity for m in made], tool_versions() | dict(job.converters), check),
        MODEL: canonical_json(_without_places(model).to_dict()),
        PLAN: canonical_json(plan.to_dict()),
        DATA: canonical_json(replace(use, source=use.source and Path(use.source).name).to_dict()),
        **({} if tradeoff is None else {TRADEOFF: canonical_json(tradeoff.to_dict())}),
        ORDER: job.key.encode(),
    }
    place.parent.mkdir(parents=True, exist_ok=True)
    write_bundle(place, manifest, artifacts, beside)


def _class_names(model: Model, split: SampleSplit) -> dict[str, tuple[str, ...]]:
    """Those of the class folders, by the output that scores as many classes; empty where that is not exactly one, where folders are
    named by number, and where labels are ignored.
    """
    stored = split.all.stored if split.all else None
    if stored is None or stored.truth is None or stored.folders is None or not stored.folders.by_name:
        return {}
    names = stored.folders.names
    scores = [o.name for o in model.outputs if len(o.shape) == 2 and o.shape[1] == len(names)]
    return {scores[0]: names} if len(scores) == 1 else {}


def _without_places(model: Model) -> Model:
    """Without paths of this host, because a bundle is passed on."""
    return replace(
        model,
        source=Path(model.source).name,
        files={k: Path(v).name for k, v in model.files.items()},
        networks=tuple(
            replace(each, onnx=Path(each.onnx).name, tflite=Path(each.tflite).name) for each in model.networks
        ),
    )


def _candidate(made: "Made", model: Model) -> Candidate:
    plan = made.plan
    usual = tuple(i.dtype for i in model.inputs)
    return Candidate(
        id=plan.id,
        runtime=plan.runtime,
        recipe=plan.recipe,
        model="",  # named by assemble
        inputs=made.inputs,
        outputs=made.outputs,
        min_runtime=made.min_runtime,
        scheme=str(plan.scheme) if plan.scheme else None,
        memory_bytes=made.memory_bytes,
        input_types=made.input_types if made.input_types != usual else (),
    )


def _check_set(made: "tuple[Made, ...]", model: Model, heldout: "SamplesLike") -> CheckSet:
    """Held-out samples for the device, with this host's outputs."""
    fit = _of_device_shape(model, heldout)
    labels = None if heldout.labels is None else heldout.labels[fit]
    sample_bytes = sum(a.nbytes for a in heldout[fit[0]])
    chosen = [fit[i] for i in choose_check_samples(sample_bytes, labels, len(fit))]
    inputs = tuple(np.stack([heldout[i][k] for i in chosen]) for k in range(len(model.inputs)))
    labels = heldout.labels[chosen] if heldout.labels is not None else None
    return CheckSet(inputs, labels, _answers(made, model, inputs))


def _of_device_shape(model: Model, heldout: "SamplesLike") -> list[int]:
    """A device runs them one after the other as one array: all have one shape."""
    if model.varied is None:
        return list(range(heldout.count))
    shapes = [model.varied.device[spec.name] for spec in model.inputs]
    return [i for i in range(heldout.count) if [a.shape for a in heldout[i]] == shapes]


def _answers(
    made: "tuple[Made, ...]", model: Model, inputs: tuple[np.ndarray, ...]
) -> dict[str, tuple[np.ndarray, ...]]:
    from edgeq.quantize.run_model import load

    answers = {}
    for one in made:
        run = load(one.path, one.plan.format, native_kernels=one.plan.pairs_saturate)
        rows = [run(tuple(np.asarray(array[i]) for array in inputs)) for i in range(len(inputs[0]))]
        if all(r.shape == f.shape for row in rows for r, f in zip(row, rows[0], strict=True)):
            answers[one.plan.id] = tuple(np.stack(column) for column in zip(*rows, strict=True))
    return answers
