"""convert(): a trained model and samples become a bundle, every candidate judged against float."""

import json
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeq import catalog
from edgeq.bundle import OpenBundle, read_bundle, read_fidelity
from edgeq.errors import BundleRefused, GateFailed
from edgeq.nouns.fidelity import Fidelity
from edgeq.nouns.model import Model
from edgeq.nouns.plan import CandidatePlan, Plan
from edgeq.nouns.progress import Note, Progress
from edgeq.nouns.project import Gates
from edgeq.nouns.target import Target
from edgeq.workflow import bundle_parts, cached
from edgeq.workflow.random_samples import RandomSamples
from edgeq.workflow.runtimes import this_machine
from edgeq.workflow.tell import Tell, silence


@dataclass(frozen=True)
class Conversion:
    """A bundle on the host with what is known of it. `reused`: it was made before from the very same input."""

    path: Path
    bundle: OpenBundle
    model: Model
    plan: Plan
    fidelity: tuple[Fidelity, ...]
    seconds: float
    reused: bool

    @property
    def refused(self) -> dict[str, str]:
        """Candidates that failed the gate, with the reason; they are in the bundle for comparison, never activated."""
        return {f.candidate: f.why_failed or "failed the gate" for f in self.fidelity if not f.passed}

    def to_dict(self) -> dict[str, Any]:
        return {
            "path": str(self.path),
            "digest": self.bundle.digest,
            "manifest": self.bundle.manifest.to_dict(),
            "model": self.model.to_dict(),
            "plan": self.plan.to_dict(),
            "fidelity": [f.to_dict() for f in self.fidelity],
            "seconds": self.seconds,
            "reused": self.reused,
        }


def convert(
    model: str,
    *,
    target: str | Target = "local",
    data: str | None = None,
    preprocess: Any = None,
    name: str | None = None,
    weights: str | None = None,
    shapes: Mapping[str, tuple[int, ...]] | None = None,
    calibrate: int | None = None,
    calibrator: str | None = None,
    recipe: str | None = None,
    runtime: str | None = None,
    gates: Gates | None = None,
    threads: int | None = None,
    unavailable: Mapping[str, str] | None = None,
    output: Path | None = None,
    tell: Tell = silence,
) -> Conversion:
    """Convert, quantize and judge `model` for `target`; write the bundle to `output` (default: edgeq's cache).

    `model` is an ONNX, .pt2 or .tflite file, or a torch factory ("net.py:build", "package.module:build") with
    `weights`. `data` is an .npz, a folder or "file.py:function"; part of it calibrates, the rest judges. Target `local`
    is filled in from this machine; `unavailable` names runtimes that cannot be had there, with the reason. Raises ModelRefused, DataRefused, TargetRefused, ExtraMissing,
    ConversionFailed, and GateFailed when no quantized candidate is close enough to float.
    """
    start = time.monotonic()
    kind = catalog.target(target) if isinstance(target, str) else target
    if kind.detect:
        kind, unavailable = this_machine(kind, model, runtime)
    order = cached.Order(
        model=model,
        target=kind,
        data=data,
        preprocess=preprocess,
        name=name or default_name(model),
        weights=weights,
        shapes=dict(shapes or {}),
        calibrate=calibrate,
        calibrator=calibrator,
        recipe=recipe,
        runtime=runtime,
        gates=gates or Gates(),
        threads=threads,
        unavailable=dict(unavailable or {}),
    )
    place = output or cached.place(order)
    reused = cached.holds(order, place)
    if not reused:
        _build(order, place, tell)
    conversion = _read(place, start, reused)
    if reused:
        _retell(conversion, tell)
    return conversion


def _build(order: cached.Order, place: Path, tell: Tell) -> None:
    from edgeq.ingest.open_model import open_model
    from edgeq.ingest.preprocess import from_table, parse
    from edgeq.ingest.samples import open_samples, peek
    from edgeq.ingest.split import split
    from edgeq.quantize.gate import Gate
    from edgeq.quantize.make import make
    from edgeq.quantize.plan import make_plan

    preprocessing = None
    if order.preprocess is not None:
        preprocessing = (
            parse(order.preprocess) if isinstance(order.preprocess, str) else from_table(order.preprocess)
        )
    with tempfile.TemporaryDirectory(prefix="edgeq-") as folder:
        work = Path(folder)
        tell(Progress("open", 0, None, ""))
        model = open_model(
            order.model,
            workdir=work,
            name=order.name,
            weights=Path(order.weights) if order.weights else None,
            shapes=order.shapes,
            formats=formats_for(order.target, order.runtime),
            example=peek(order.data, preprocessing) if order.data else None,
        )
        tell(model)
        samples = (
            open_samples(order.data, inputs=model.inputs, preprocessing=preprocessing) if order.data else None
        )
        plan = make_plan(
            model,
            order.target,
            tuple(catalog.recipe(name) for name in catalog.recipe_names()),
            has_data=samples is not None,
            recipe=order.recipe,
            runtime=order.runtime,
            unavailable=order.unavailable,
        )
        tell(plan)
        parts = split(samples, calibrate=order.calibrate) if samples is not None else None
        heldout = parts.heldout if parts else RandomSamples(model.inputs)
        if parts is None:
            tell(Note("no --data: candidates are compared with float on random input; accuracy is not known"))
        gate = Gate(**{key: value for key, value in order.gates.to_dict().items() if value is not None})
        made = []
        for candidate in plan.candidates:
            made.append(
                make(
                    candidate,
                    model,
                    parts.calibration if parts else None,
                    heldout,
                    same_samples=bool(parts and parts.same),
                    gate=gate,
                    workdir=work,
                    threads=order.threads or order.target.threads,
                    calibrator=order.calibrator or "auto",
                    progress=_progress(candidate, tell),
                )
            )
            tell(made[-1].fidelity)
        _require_gate(plan, tuple(m.fidelity for m in made))
        data_sha256 = parts.calibration.sha256 if parts else None
        bundle_parts.write(place, order, model, plan, tuple(made), heldout, data_sha256, preprocessing)


def _progress(candidate: CandidatePlan, tell: Tell) -> Any:
    return lambda step, share: tell(Progress(f"{candidate.id}: {step}", share, 1.0, ""))


def open_conversion(place: Path, tell: Tell) -> Conversion:
    """A finished bundle with everything that was found out when it was made."""
    start = time.monotonic()
    conversion = _read(place, start, reused=True)
    _retell(conversion, tell)
    return conversion


def _read(place: Path, start: float, reused: bool) -> Conversion:
    bundle = read_bundle(place)

    def beside(name: str) -> Any:
        content = bundle.beside(name)
        if content is None:
            raise BundleRefused(f"{place} has no {name}", "make it again with `edgeq convert`")
        return json.loads(content)

    return Conversion(
        path=place,
        bundle=bundle,
        model=Model.from_dict(beside(bundle_parts.MODEL)),
        plan=Plan.from_dict(beside(bundle_parts.PLAN)),
        fidelity=read_fidelity(bundle),
        seconds=time.monotonic() - start,
        reused=reused,
    )


def _retell(conversion: Conversion, tell: Tell) -> None:
    for noun in (conversion.model, conversion.plan, *conversion.fidelity):
        tell(noun)


def _require_gate(plan: Plan, judged: tuple[Fidelity, ...]) -> None:
    """That every quantized candidate failed is an error; one good candidate is enough."""
    recipes = {c.id: c.recipe for c in plan.candidates}
    quantized = [f for f in judged if recipes[f.candidate] != "float"] or list(judged)
    if any(f.passed for f in quantized):
        return
    worst = [
        f"{f.candidate}: {layer.layer} (SQNR {layer.sqnr_db:.0f} dB, {layer.cause})"
        for f in quantized
        for layer in f.worst_layers[:3]
    ]
    raise GateFailed(
        "; ".join(f"{f.candidate}: {f.why_failed}" for f in quantized),
        "try --calibrator percentile, a wider gate (--max-drop, --min-agreement, --min-sqnr), more samples, or "
        "--recipe float. Nothing was sent.",
        details=(["worst layers:", *worst] if worst else ()),
    )


def default_name(model: str) -> str:
    """The model's stem: "models/resnet20.onnx" -> "resnet20", "net.py:build" -> "net", "pkg.net:build" -> "net"."""
    path, _, entry = model.partition(":")
    stem = (
        Path(path).stem
        if path.endswith((".py", ".onnx", ".pt2", ".tflite", ".edgeq"))
        else path.split(".")[-1]
    )
    letters = "".join(c if c.isalnum() or c in "._-" else "-" for c in (stem or entry))
    return letters.strip(".-") or "model"


def formats_for(target: Target, runtime: str | None) -> tuple[str, ...]:
    """The graph formats that the target's runtimes load."""
    loads = {"onnxruntime": "onnx", "litert": "tflite", "tflite-runtime": "tflite"}
    wanted = [r.name for r in target.runtimes if runtime in (None, r.name)]
    return tuple(dict.fromkeys(loads[name] for name in wanted))
