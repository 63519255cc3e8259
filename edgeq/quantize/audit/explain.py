"""Why a candidate is as it is, layer by layer: how it is quantized, how large its error is and why, what was changed for it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from edgeq import catalog
from edgeq.nouns.explanation import LayerExplained
from edgeq.nouns.fidelity import Fidelity
from edgeq.nouns.plan import CandidatePlan
from edgeq.quantize.audit.float_layers import IN_SUBGRAPH, reasons_in
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

# In `how` of a change that SmoothQuant made to a tensor, for the products behind it.
_SMOOTHING = "SmoothQuant"

_TRAINED = "trained"  # a recipe's method
_TRAINED_IN_FLOAT = "the trained network computes it in float"


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
    """The operators with weights, in the order in which they run. `source` is the float file, `quantized` made from it, or what
    float_side.py gives for it.

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
    method = catalog.recipe(plan.recipe).method
    in_file = reasons_in(quantized, method, plan.format)
    reasons = FloatReasons.of(fidelity, in_file, _TRAINED_IN_FLOAT if method == _TRAINED else "")
    return tuple(
        replace(layer.row, why_float=reasons.why(layer), remedies=_changes(layer, fidelity))
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
        if change.what in (layer.nodes if _SMOOTHING in change.how else own)
    )


@dataclass(frozen=True)
class FloatReasons:
    """Why layers are in float, by name: `listed` are those that the report lists one by one, `in_file` what the file tells of
    each node, `otherwise` what is said where neither does. The report's groups name only their first layers, so they are not read
    here.
    """

    listed: Mapping[str, str]
    in_file: Mapping[str, tuple[str, ...]]
    otherwise: str = ""

    @classmethod
    def of(
        cls, fidelity: Fidelity, in_file: Mapping[str, tuple[str, ...]], otherwise: str = ""
    ) -> "FloatReasons":
        listed: dict[str, str] = {}
        for skipped in fidelity.float_layers:
            listed.setdefault(skipped.what, skipped.reason)
        return cls(listed, in_file, otherwise)

    def why(self, layer: Layer) -> str:
        row = layer.row
        for name in (row.layer, f"{row.operator}: {row.layer}"):
            if name in self.listed:
                return self.listed[name]
        if row.scheme != FLOAT:
            return ""
        found = self.in_file.get(layer.node, ())
        own_side = [why for why in found if (why == IN_SUBGRAPH) == bool(row.inside)]
        return next(iter((*own_side, *found)), self.otherwise or _no_reason(row))


def _no_reason(layer: LayerExplained) -> str:
    if layer.operator == "Gather":
        return "its table is small, shared with other operators, or not quantized by this recipe"
    return "its weights are not constant, or no integer kernel takes them"
