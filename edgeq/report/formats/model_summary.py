"""A loaded model at a glance: sizes, closeness to float, and a row for each layer or kind of layer."""

from rich.console import Console

from edgeq.nouns.model_summary import LayerBits, ModelSummary
from edgeq.plain_text import counted
from edgeq.report.formats.layout import say, table
from edgeq.report.formats.making import compared_with_float
from edgeq.report.formats.short_names import LONGEST, short_names
from edgeq.report.formats.units import ABSENT, size


def show_model_summary(summary: ModelSummary, console: Console) -> None:
    for_target = [f"for {summary.target}"] if summary.target else []
    say(console, "model", [summary.name, summary.candidate, *for_target])
    say(console, "model", [f"takes {spec}" for spec in summary.inputs])
    say(console, "model", [f"gives {spec}" for spec in summary.outputs])
    say(console, "size", _sizes(summary))
    if summary.fidelity is not None:
        say(console, "accuracy", compared_with_float(summary.fidelity))
        kernels = [f"{f.integer}/{f.total} {f.operator}" for f in summary.fidelity.fusion if f.total]
        if kernels:
            say(console, "kernels", [f"integer: {', '.join(kernels)}"])
    if summary.layers:
        _show_layers(summary, console)
    for note in summary.notes:
        say(console, "note", [note])


def _sizes(summary: ModelSummary) -> list[str]:
    facts = [f"{size(summary.file_bytes)} on disk"]
    if summary.float_bytes:
        smaller = summary.float_bytes / summary.file_bytes
        facts.append(
            f"{smaller:.1f}x smaller than float"
            if smaller >= 1.0
            else f"{1 / smaller:.1f}x larger than float"
        )
    if summary.bits_per_weight is not None:
        facts.append(
            f"{counted(summary.parameters, 'weight')} of {summary.bits_per_weight:.3g} bits in the mean"
        )
    facts.append(f"{counted(summary.integer_layers, 'integer layer')}, {summary.float_layers} in float")
    if summary.memory_bytes is not None:
        facts.append(f"needs about {size(summary.memory_bytes)} of memory beside the runtime")
    return facts


def _show_layers(summary: ModelSummary, console: Console) -> None:
    names = short_names((layer.layer for layer in summary.layers), LONGEST)
    rows = [
        (
            f"{names[layer.layer]} and {layer.count - 1} more" if layer.count > 1 else names[layer.layer],
            layer.operator,
            f"{layer.parameters:,}",
            _words(layer.weights, layer.weight_bits),
            _activations(layer),
        )
        for layer in summary.layers
    ]
    header = ("layer", "operator", "parameters", "weights", "activations")
    table(console, header, rows, left=frozenset({0, 1, 3, 4}))


def _activations(layer: LayerBits) -> str:
    if not layer.activations:
        return ABSENT
    return ("dynamic " if layer.dynamic else "") + _words(layer.activations, layer.activation_bits)


def _words(kind: str, bits: int) -> str:
    """ "int8", or "int8, 4 bits used"."""
    whole = kind.endswith(str(bits)) or not kind.startswith(("int", "uint"))
    return kind if whole else f"{kind}, {counted(bits, 'bit')} used"
