"""explain(): a model's quantized candidates for a target, layer by layer, with what is lost where and what was done."""

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Unpack

from edgeq.errors import BundleRefused, GateFailed
from edgeq.nouns.explanation import Explanation, Partners
from edgeq.nouns.fidelity import Fidelity
from edgeq.nouns.plan import CandidatePlan, Plan
from edgeq.nouns.progress import Note, Progress
from edgeq.nouns.project import Gates
from edgeq.nouns.target import Target
from edgeq.workflow.convert import Conversion, convert, open_conversion
from edgeq.workflow.options import ConversionOptions
from edgeq.workflow.tell import Tell, silence
from edgeq.workflow.verify_samples import of_bundle

# Of the samples that the bundle carries: shares of errors settle early.
_SAMPLES = 16
# Nothing is refused: what a gate refuses has to be explained above all.
_OPEN = Gates(max_drop=100.0, min_agreement=0.0, min_sqnr_db=-1000.0)


@dataclass(frozen=True)
class Explained:
    """`refused` is what the gate said, None where it holds."""

    explanations: tuple[Explanation, ...]
    refused: str | None = None

    def to_dict(self) -> dict[str, Any]:
        return {"explanations": [e.to_dict() for e in self.explanations], "refused": self.refused}


def explain(
    model: str, *, target: str | Target = "local", tell: Tell = silence, **options: Unpack[ConversionOptions]
) -> Explained:
    """Explain the static candidates of `model` for `target`; of a finished .edgeq bundle, those in it.

    What was converted before from the same input is not converted again. Raises as `convert`, but for a failed gate,
    which is explained, and BundleRefused where there is nothing to explain.
    """
    conversion, refused = _converted(model, target, tell, options)
    if conversion.plan is None:
        raise BundleRefused(
            f"{conversion.path} does not say how it was planned", "make it anew with edgeq convert"
        )
    explanations = _explanations(conversion, conversion.plan.candidates, tell)
    if not explanations:
        raise _nothing_to_explain(conversion, conversion.plan)
    return Explained(explanations, refused)


def _nothing_to_explain(conversion: Conversion, plan: Plan) -> BundleRefused:
    made = ", ".join(c.id for c in plan.candidates)
    static = [f"{s.what}: {s.reason}" for s in plan.skipped if "int8_static" in s.what]
    way_out = "give --data, so that int8_static is built"
    if conversion.data is not None and conversion.data.source is not None:
        way_out = "edgeq convert says of these what stays in float and why"
        way_out += "" if static else "; --recipe int8_static, or none, gives one with fixed ranges"
    return BundleRefused(
        f"layers are explained where ranges are fixed, and {conversion.bundle.manifest.name} for {plan.target} is only {made}",
        way_out,
        details=static,
    )


def _converted(
    model: str, target: str | Target, tell: Tell, options: ConversionOptions
) -> tuple[Conversion, str | None]:
    if model.endswith(".edgeq"):
        return open_conversion(Path(model), tell), None
    try:
        return convert(model, target=target, tell=tell, **options), None
    except GateFailed as error:
        tell(
            Note(
                f"{error.what}; explained nevertheless, as it is without any layer left in float for the gate"
            )
        )
        gates = options.get("gates") or Gates()
        options = {**options, "gates": replace(_OPEN, metric=gates.metric)}
        return convert(model, target=target, tell=tell, **options), error.what


def _explanations(
    conversion: Conversion, plans: tuple[CandidatePlan, ...], tell: Tell
) -> tuple[Explanation, ...]:
    manifest, found = conversion.bundle.manifest, []
    files = {c.id: c.model for c in manifest.candidates}
    floats = {p.format: files[p.id] for p in plans if p.recipe == "float" and p.id in files}
    with tempfile.TemporaryDirectory(prefix="edgeq-") as name:
        folder = Path(name)
        conversion.bundle.extract(folder)
        samples = of_bundle(conversion.bundle, _SAMPLES, folder / "samples")
        for plan in plans:
            if plan.scheme is None or plan.id not in files or plan.format not in floats:
                continue
            paths = folder / floats[plan.format], folder / files[plan.id]
            explanation = _explanation(conversion, plan, paths, samples, tell)
            if plan.format == "tflite" and "onnx" in floats:
                both = folder / floats["onnx"], paths[0]
                explanation = replace(explanation, partners=_partners(*both, samples))
            found.append(explanation)
    return tuple(found)


def _partners(onnx: Path, tflite: Path, samples: Any) -> Partners:
    from edgeq.quantize.audit.partners import partners

    return partners(onnx, tflite, samples[0])


def _explanation(
    conversion: Conversion, plan: CandidatePlan, paths: tuple[Path, Path], samples: Any, tell: Tell
) -> Explanation:
    from edgeq.quantize.explain import explain as explain_layers

    assert plan.scheme is not None
    manifest = conversion.bundle.manifest
    fidelity: Fidelity = next(f for f in conversion.fidelity if f.candidate == plan.id)
    layers = explain_layers(
        *paths,
        plan.format,
        plan.scheme,
        fidelity,
        samples,
        saturates=plan.scheme.pairs_fit or plan.scheme.reduce_range,
        threads=1,
        progress=lambda step, share: tell(Progress(f"{plan.id}: {step}", share, 1.0, "")),
    )
    worst = [o.sqnr_db for o in fidelity.outputs if o.sqnr_db is not None]
    gains = [r.gain_db for r in fidelity.remedies if r.gain_db is not None]
    return Explanation(
        name=manifest.name,
        target=manifest.target,
        candidate=plan.id,
        samples=samples.count,
        calibrator=fidelity.calibrator,
        sqnr_db=min(worst, default=None),
        gain_db=max(gains, default=None),
        layers=layers,
        repairs=fidelity.repairs,
    )
