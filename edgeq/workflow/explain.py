"""explain(): a model's quantized candidates for a target, layer by layer, with what is lost where and what was done."""

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgeq.conversion.finished import open_conversion
from edgeq.emulate.samples import of_bundle
from edgeq.errors import BundleRefused, ConversionFailed, GateFailed
from edgeq.nouns.explanation import Explanation, Partners
from edgeq.nouns.fidelity import Fidelity
from edgeq.nouns.plan import CandidatePlan, Plan
from edgeq.nouns.progress import Note, Progress
from edgeq.nouns.results import Conversion, Explained
from edgeq.quantize.plan import AS_IS
from edgeq.request.finished_bundle import require_nothing_decided
from edgeq.request.paths import text
from edgeq.request.requests import ConvertRequest, ExplainRequest
from edgeq.request.takes import keywords, takes
from edgeq.request.tell import Tell
from edgeq.workflow.convert import convert

# Of the samples that the bundle carries: shares of errors settle early.
_SAMPLES = 16
_NOT_QUANTIZED = ("float", AS_IS)


@takes(ExplainRequest)
def explain(asked: ExplainRequest) -> Explained:
    """Explain, layer by layer, the quantized candidates of a model for a target; of a finished .edgeq bundle, those in it.

    What was converted before from the same input is not converted again. A candidate that cannot be analysed is reported and
    spoils no other. Raises as `convert`, but for a failed gate, which is explained, BundleRefused where there is nothing to
    explain, and ConversionFailed where no candidate can be.
    """
    conversion, refused = _converted(asked)
    if conversion.plan is None:
        raise BundleRefused(
            f"{conversion.path} does not say how it was planned", "make it again with edgeq convert"
        )
    explanations = _explanations(conversion, conversion.plan.candidates, asked.tell)
    if not explanations:
        raise _nothing_to_explain(conversion, conversion.plan)
    return Explained(explanations, refused)


def _nothing_to_explain(conversion: Conversion, plan: Plan) -> BundleRefused:
    name = conversion.bundle.manifest.name
    if any(c.recipe == AS_IS for c in plan.candidates):
        return BundleRefused(
            f"{name} is already quantized: without its float model no layer error can be measured",
            "explain the float model that it was made from",
        )
    way_out = "leave out --recipe, or choose one that quantizes"
    if conversion.data is None or conversion.data.source is None:
        way_out += "; --data allows int8_static"
    return BundleRefused(
        f"nothing in {name} for {plan.target} is quantized: it is only {', '.join(c.id for c in plan.candidates)}",
        way_out,
        details=[f"{s.what}: {s.reason}" for s in plan.skipped],
    )


def _converted(asked: ExplainRequest) -> tuple[Conversion, str | None]:
    model = text(asked.model)
    if model is not None and model.endswith(".edgeq"):
        require_nothing_decided(Path(model), asked, also=("recipe", "runtime"), sends=False)
        return open_conversion(Path(model), asked.tell), None
    try:
        return convert(**keywords(asked, ConvertRequest)), None
    except GateFailed as error:
        asked.tell(
            Note(
                f"{error.what}; explained nevertheless, as it is without any layer left in float for the gate"
            )
        )
        return convert(**keywords(asked, ConvertRequest) | {"refuse": False}), error.what


def _explanations(
    conversion: Conversion, plans: tuple[CandidatePlan, ...], tell: Tell
) -> tuple[Explanation, ...]:
    manifest, found, failed = conversion.bundle.manifest, [], []
    files = {c.id: c.model for c in manifest.candidates}
    floats = {p.format: files[p.id] for p in plans if p.recipe == "float" and p.id in files}
    with tempfile.TemporaryDirectory(prefix="edgeq-") as name:
        folder = Path(name)
        conversion.bundle.extract(folder)
        samples = of_bundle(conversion.bundle, _SAMPLES, folder / "samples")
        for plan in plans:
            if plan.recipe in _NOT_QUANTIZED or plan.id not in files or plan.format not in floats:
                continue
            paths = folder / floats[plan.format], folder / files[plan.id]
            try:
                explanation = _explanation(conversion, plan, paths, samples, tell)
            except ConversionFailed as error:
                failed.append(error)
                tell(Note(f"{plan.id} cannot be explained: {error.what}"))
                continue
            if plan.format == "tflite" and "onnx" in floats and explanation.calibrator is not None:
                both = folder / floats["onnx"], paths[0]
                explanation = replace(explanation, partners=_partners(*both, samples))
            found.append(explanation)
    if failed and not found:
        raise failed[0]
    return tuple(found)


def _partners(onnx: Path, tflite: Path, samples: Any) -> Partners:
    from edgeq.quantize.audit.tensor_matching import partners

    return partners(onnx, tflite, samples[0])


def _explanation(
    conversion: Conversion, plan: CandidatePlan, paths: tuple[Path, Path], samples: Any, tell: Tell
) -> Explanation:
    from edgeq.quantize.audit.explain import explain as explain_layers

    manifest = conversion.bundle.manifest
    fidelity: Fidelity = next(f for f in conversion.fidelity if f.candidate == plan.id)
    layers = explain_layers(
        *paths,
        plan,
        fidelity,
        samples,
        saturates=plan.scheme is not None and (plan.scheme.pairs_fit or plan.scheme.reduce_range),
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
