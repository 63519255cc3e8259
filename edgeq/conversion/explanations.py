"""Explains the quantized candidates of a conversion layer by layer, on samples that its bundle carries."""

import tempfile
from dataclasses import replace
from pathlib import Path

from edgeq.conversion.bundle_samples import Chosen, of_bundle
from edgeq.errors import BundleRefused, ConversionFailed
from edgeq.nouns.explanation import Explanation
from edgeq.nouns.fidelity import Fidelity
from edgeq.nouns.plan import CandidatePlan, Plan
from edgeq.nouns.progress import Note
from edgeq.nouns.results import Conversion
from edgeq.quantize.audit.explain import explain as explain_layers
from edgeq.quantize.audit.float_side import float_side
from edgeq.quantize.audit.matching import matched_tensors
from edgeq.quantize.plan import PREQUANTIZED
from edgeq.request.tell import Tell, shares

# Of the samples that the bundle carries: shares of errors settle early.
_SAMPLES = 16
_NOT_QUANTIZED = ("float", PREQUANTIZED)


def explanations(conversion: Conversion, plan: Plan, tell: Tell) -> tuple[Explanation, ...]:
    """A candidate that cannot be analysed is reported and spoils no other. Raises BundleRefused where nothing is quantized, and
    ConversionFailed where no candidate can be explained.
    """
    found, failed = [], []
    files = {c.id: c.model for c in conversion.bundle.manifest.candidates}
    floats = {p.format: files[p.id] for p in plan.candidates if p.recipe == "float" and p.id in files}
    with tempfile.TemporaryDirectory(prefix="edgeq-") as name:
        folder = Path(name)
        conversion.bundle.extract(folder)
        samples = of_bundle(conversion.bundle, _SAMPLES, folder / "samples")
        for candidate in plan.candidates:
            if (
                candidate.recipe in _NOT_QUANTIZED
                or candidate.id not in files
                or candidate.format not in floats
            ):
                continue
            paths = folder / floats[candidate.format], folder / files[candidate.id]
            try:
                explanation = _explanation(conversion, candidate, paths, samples, tell)
            except ConversionFailed as error:
                failed.append(error)
                tell(Note(f"{candidate.id} cannot be explained: {error.what}"))
                continue
            if candidate.format == "tflite" and "onnx" in floats and explanation.calibrator is not None:
                matched = matched_tensors(folder / floats["onnx"], paths[0], samples[0])
                explanation = replace(explanation, partners=matched)
            found.append(explanation)
    if not found:
        raise failed[0] if failed else _nothing_to_explain(conversion, plan)
    return tuple(found)


def _nothing_to_explain(conversion: Conversion, plan: Plan) -> BundleRefused:
    name = conversion.bundle.manifest.name
    if any(c.recipe == PREQUANTIZED for c in plan.candidates):
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


def _explanation(
    conversion: Conversion, plan: CandidatePlan, paths: tuple[Path, Path], samples: Chosen, tell: Tell
) -> Explanation:
    manifest = conversion.bundle.manifest
    fidelity: Fidelity = next(f for f in conversion.fidelity if f.candidate == plan.id)
    source, quantized = paths
    floats = float_side(source, quantized, plan, quantized.parent)
    layers = explain_layers(
        floats.path,
        quantized,
        plan,
        fidelity,
        samples,
        saturates=plan.scheme is not None and (plan.scheme.pairs_fit or plan.scheme.reduce_range),
        threads=1,
        progress=shares(tell, plan.id),
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
        own_float=floats.why,
    )
