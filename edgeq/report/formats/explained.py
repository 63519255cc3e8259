"""What was decided for each layer: a table, its errors drawn as bars."""

from collections import Counter, defaultdict
from typing import Any

from rich.console import Console

from edgeq.nouns.explanation import Explanation, LayerExplained, Partners
from edgeq.nouns.repairs import Tried
from edgeq.report.formats.layout import say, table
from edgeq.report.formats.units import abbreviated, count, percent

_NAMED = 4  # tensors without a partner, per reason; --json has all
_BAR = 10  # characters for the largest error of a model


def show_explained(console: Console, explained: Any) -> None:
    for explanation in explained.explanations:
        _show(console, explanation)


def _show(console: Console, e: Explanation) -> None:
    quantized = [layer for layer in e.layers if layer.scheme != "float"]
    facts = [e.candidate, f"{len(quantized)} of {count(len(e.layers), 'layer')} quantized"]
    facts += [scheme for scheme, _ in Counter(layer.scheme for layer in quantized).most_common(1)]
    facts.append(
        f"errors on {count(e.samples, 'sample')}, each of its layer's own output before its activation"
    )
    say(console, "explain", facts)
    if e.calibrator:
        say(console, "explain", [f"  ranges: {e.calibrator}"])
    for how, layers in _remedies(e).items():
        say(console, "explain", [f"  {count(layers, 'layer')}: {how}"])
    if e.gain_db is not None:
        say(
            console,
            "explain",
            [f"  this brought the outputs {e.gain_db:.1f} dB closer on calibration samples"],
        )
    for tried in e.repairs:
        say(
            console, "repair", [tried.repair, "used" if tried.kept else "not used", *_worth(tried), tried.why]
        )
    for line in _partners(e.partners) if e.partners else ():
        say(console, "explain", [line])
    largest = max((layer.error or 0.0 for layer in quantized), default=0.0)
    header = ("layer", "work", "range", "error", "", "clipping", "rounding", "weights", "shift", "kernel")
    rows = [_row(layer, largest) for layer in e.layers]
    table(console, header, rows, left=frozenset({0, 4, 9}))
    for layer in e.layers:
        if layer.why_float:
            say(console, "float", [f"{abbreviated(layer.layer)}: {layer.why_float}"])
    overflow = [layer for layer in quantized if layer.overflows]
    for layer in overflow:
        say(
            console,
            "saturate",
            [f"{abbreviated(layer.layer)}: {count(layer.overflows or 0, 'pair')} of weights"],
        )


def _worth(tried: Tried) -> list[str]:
    return [] if tried.gain_db is None else [f"{tried.gain_db:+.1f} dB at the outputs on calibration samples"]


def _row(layer: LayerExplained, largest: float) -> tuple[str, ...]:
    name = f"{abbreviated(layer.layer)} ({layer.operator})"
    kernel = "integer" if layer.integer else "float" if layer.scheme == "float" else "unfused"
    if layer.error is None or layer.low is None or layer.high is None:
        return (name, percent(layer.work), *[""] * 7, kernel)
    parts = (layer.clipping, layer.rounding, layer.weights, layer.bias_shift)
    return (
        name,
        percent(layer.work),
        f"{layer.low:.3g} to {layer.high:.3g}",
        percent(layer.error),
        "#" * round(_BAR * layer.error / largest) if largest else "",
        *("" if part is None else percent(part) for part in parts),
        kernel,
    )


def _partners(p: Partners) -> list[str]:
    """The figure, and what has no partner by reason."""
    share = percent(p.matched / p.tensors) if p.tensors else "none"
    whole = f"  {p.matched} of {count(p.tensors, 'tensor')} ({share}) are tensors of the ONNX graph"
    lines = [f"{whole}, by their values on one sample; ranges of all are found in the .tflite graph"]
    by_reason: dict[str, list[str]] = defaultdict(list)
    for one in p.without:
        by_reason[one.reason].append(one.what)
    for reason, names in by_reason.items():
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        lines.append(f"  no partner: {', '.join(abbreviated(n) for n in names[:_NAMED])}{more} ({reason})")
    return lines


def _remedies(e: Explanation) -> Counter[str]:
    return Counter(how for layer in e.layers for how in layer.remedies)
