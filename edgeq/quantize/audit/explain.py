"""Why a candidate is as it is, layer by layer: what was decided, what is lost where and why, what was done about it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from edgeq.nouns.explanation import LayerExplained
from edgeq.nouns.fidelity import Fidelity
from edgeq.nouns.plan import CandidatePlan
from edgeq.quantize.audit.layer_error import LayerError
from edgeq.quantize.audit.onnx_layers import onnx_other_layers, onnx_static_layers
from edgeq.quantize.audit.quantized_layer import SeenLayer
from edgeq.quantize.audit.tflite_layers import tflite_dynamic_layers, tflite_static_layers
from edgeq.quantize.run_model import Progress
from edgeq.quantize.samples import SamplesLike

# Stands in `how` of what was done to a tensor, for the sake of the products behind it.
_FOR_OTHERS = "SmoothQuant"


def explain(
    source: Path,
    quantized: Path,
    plan: CandidatePlan,
    fidelity: Fidelity,
    samples: SamplesLike,
    *,
    saturates: bool,
    threads: int,
    progress: Progress,
) -> tuple[LayerExplained, ...]:
    """The operators with weights, in the order in which they run. `source` is the float file, `quantized` made from it.

    `saturates`: the target's CPU adds pairs of products in 16 bits. Raises ConversionFailed when a file does not run.
    """
    if plan.recipe.endswith("_static") and plan.scheme is not None:
        if plan.format == "onnx":
            layers = onnx_static_layers(
                source,
                quantized,
                plan.scheme,
                samples,
                saturates=saturates,
                threads=threads,
                progress=progress,
            )
        else:
            layers = tflite_static_layers(
                source, quantized, plan.scheme, samples, threads=threads, progress=progress
            )
    else:
        found = onnx_other_layers if plan.format == "onnx" else tflite_dynamic_layers
        layers = found(source, quantized, samples, threads=threads, progress=progress)
        if plan.scheme is not None and plan.scheme.reduce_range:
            layers = tuple(map(_in_seven_bits, layers))
    reasons = _Reasons.of(fidelity)
    return tuple(_explained(layer, fidelity, reasons) for layer in layers)


def _in_seven_bits(layer: SeenLayer) -> SeenLayer:
    return replace(layer, scheme=f"{layer.scheme}, weights reduced to 7 bits") if layer.integer else layer


def _explained(layer: SeenLayer, fidelity: Fidelity, reasons: "_Reasons") -> LayerExplained:
    told = LayerExplained(
        layer=layer.name,
        operator=layer.kind,
        work=layer.work,
        scheme=layer.scheme,
        why_float=reasons.why(layer),
        integer=layer.integer,
        overflows=layer.overflows,
        remedies=_remedies(layer, fidelity),
        inside=layer.inside,
        unmeasured=layer.unmeasured,
    )
    return told if layer.error is None else _with(told, layer.error)


def _with(layer: LayerExplained, error: LayerError) -> LayerExplained:
    return replace(
        layer,
        low=_rounded(error.low),
        high=_rounded(error.high),
        error=_rounded(error.error),
        own=_rounded(error.own),
        clipping=_rounded(error.clipping),
        rounding=_rounded(error.rounding),
        weights=_rounded(error.weights),
        bias_shift=_rounded(error.bias_shift),
    )


def _rounded(value: float | None) -> float | None:
    """Six significant digits: the rest is noise, and differs between machines."""
    return None if value is None else float(f"{value:.6g}")


def _remedies(layer: SeenLayer, fidelity: Fidelity) -> tuple[str, ...]:
    """What was done to the layer, or in front of it for its sake."""
    own = (layer.name, f"{layer.kind}: {layer.name}")
    return tuple(
        remedy.how
        for remedy in fidelity.remedies
        if (remedy.what in layer.around if _FOR_OTHERS in remedy.how else remedy.what in own)
    )


@dataclass(frozen=True)
class _Reasons:
    """Why layers are left in float: of single ones by name, of groups, which name only their first, by kind and words."""

    single: Mapping[str, str]
    groups: Mapping[str, Mapping[str, str]]

    @classmethod
    def of(cls, fidelity: Fidelity) -> "_Reasons":
        single: dict[str, str] = {}
        groups: dict[str, dict[str, str]] = {}
        for skipped in fidelity.float_layers:
            single.setdefault(skipped.what, skipped.reason)
            kind, apart, names = skipped.what.partition(": ")
            kind, names = (kind, names) if apart else (skipped.what.partition(" (")[0], skipped.what)
            groups.setdefault(kind, {})[names] = skipped.reason
        return cls(single, groups)

    def why(self, layer: SeenLayer) -> str:
        """The reason that was given for this layer, or for the group that it belongs to."""
        for name in (layer.name, f"{layer.kind}: {layer.name}"):
            if name in self.single:
                return self.single[name]
        if layer.quantized:
            return ""
        groups = self.groups.get(layer.kind, {})
        named = [
            why for names, why in groups.items() if layer.name in names.partition(" and ")[0].split(", ")
        ]
        fitting = [why for why in groups.values() if bool(layer.inside) == ("lies inside" in why)]
        return next(iter((*named, *fitting, *groups.values())), _unsaid(layer))


def _unsaid(layer: SeenLayer) -> str:
    if layer.kind == "Gather":
        return "its table is small, shared with other operators, or not quantized by this recipe"
    return "its weights are not constant, or no integer kernel takes them"
