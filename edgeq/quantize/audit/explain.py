"""Why a candidate is as it is, layer by layer: how it is quantized, how large its error is and why, what was changed for it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from edgeq.nouns.explanation import LayerExplained
from edgeq.nouns.fidelity import Fidelity
from edgeq.nouns.plan import CandidatePlan
from edgeq.quantize.audit.float_layers import INSIDE
from edgeq.quantize.audit.layers import (
    FLOAT,
    Layer,
    onnx_other_layers,
    onnx_static_layers,
    tflite_dynamic_layers,
    tflite_static_layers,
)
from edgeq.quantize.run_model import Progress
from edgeq.quantize.samples import SamplesLike

# In `how` of a change to a tensor that serves the products behind it.
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
    files, scheme = (source, quantized), plan.scheme
    if scheme is None or not plan.recipe.endswith("_static"):
        find = onnx_other_layers if plan.format == "onnx" else tflite_dynamic_layers
        layers = find(*files, samples, threads=threads, progress=progress)
        if scheme is not None and scheme.reduce_range:
            layers = [_in_seven_bits(layer) for layer in layers]
    elif plan.format == "onnx":
        layers = onnx_static_layers(
            *files, scheme, samples, saturates=saturates, threads=threads, progress=progress
        )
    else:
        layers = tflite_static_layers(*files, scheme, samples, threads=threads, progress=progress)
    reasons = FloatReasons.of(fidelity)
    return tuple(
        replace(layer.row, why_float=reasons.why(layer.row), remedies=_changes(layer, fidelity))
        for layer in layers
    )


def _in_seven_bits(layer: Layer) -> Layer:
    row = layer.row
    if not row.integer:
        return layer
    return replace(layer, row=replace(row, scheme=f"{row.scheme}, weights reduced to 7 bits"))


def _changes(layer: Layer, fidelity: Fidelity) -> tuple[str, ...]:
    """What was changed in the layer, or in front of it for its sake."""
    own = (layer.row.layer, f"{layer.row.operator}: {layer.row.layer}")
    return tuple(
        change.how
        for change in fidelity.remedies
        if change.what in (layer.nodes if _FOR_OTHERS in change.how else own)
    )


@dataclass(frozen=True)
class FloatReasons:
    """Why layers are left in float: of single ones by name, of groups, which name only their first, by kind and names."""

    single: Mapping[str, str]
    groups: Mapping[str, Mapping[str, str]]

    @classmethod
    def of(cls, fidelity: Fidelity) -> "FloatReasons":
        single: dict[str, str] = {}
        groups: dict[str, dict[str, str]] = {}
        for skipped in fidelity.float_layers:
            single.setdefault(skipped.what, skipped.reason)
            kind, colon, names = skipped.what.partition(": ")
            kind, names = (kind, names) if colon else (skipped.what.partition(" (")[0], skipped.what)
            groups.setdefault(kind, {})[names] = skipped.reason
        return cls(single, groups)

    def why(self, layer: LayerExplained) -> str:
        """The reason that was given for this layer, or for the group that it belongs to."""
        for name in (layer.layer, f"{layer.operator}: {layer.layer}"):
            if name in self.single:
                return self.single[name]
        if layer.scheme != FLOAT:
            return ""
        groups = self.groups.get(layer.operator, {})
        named = [w for names, w in groups.items() if layer.layer in names.partition(" and ")[0].split(", ")]
        fitting = [why for why in groups.values() if bool(layer.inside) == (why == INSIDE)]
        return next(iter((*named, *fitting, *groups.values())), _no_reason(layer))


def _no_reason(layer: LayerExplained) -> str:
    if layer.operator == "Gather":
        return "its table is small, shared with other operators, or not quantized by this recipe"
    return "its weights are not constant, or no integer kernel takes them"
