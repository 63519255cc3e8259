"""What was decided for each layer: a table of its errors by cause, with a legend of the columns that it has."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from rich.console import Console

from edgeq.nouns.explanation import Explanation, LayerExplained, TensorMatches
from edgeq.nouns.passes import PassResult
from edgeq.nouns.plan import Skipped
from edgeq.nouns.results import Explained
from edgeq.plain_text import counted
from edgeq.report.formats.explained_columns import Column, columns_of, schemes_of
from edgeq.report.formats.layout import MARGIN, page_width, say, table
from edgeq.report.formats.short_names import LONGEST, short_name, short_names

_SHOWN_DB = 0.05
_NAMED = 4  # layers or tensors of one reason; --json has all
_SHORTEST = 20  # room for a name behind its number
_NARROWEST, _ROOMY = 32, 120  # of a layer's name with its operator, and of a page with room for wide bars


def show_explained(explained: Explained, console: Console) -> None:
    legend: dict[str, str] = {}
    for explanation in explained.explanations:
        legend |= {c.name: c.means for c in _columns(console, explanation) if c.means}
    if legend:
        say(console, "columns", ["; ".join(f"{name} = {means}" for name, means in legend.items())])
    for explanation in explained.explanations:
        _show(explanation, console)


def _columns(console: Console, e: Explanation) -> list[Column]:
    bar = 6 if page_width(console) < _ROOMY else 10
    return columns_of(_quantized(e), bar, fixed=e.candidate.endswith("_static"))


def _quantized(e: Explanation) -> list[LayerExplained]:
    return [layer for layer in e.layers if layer.scheme != "float"]


def _show(e: Explanation, console: Console) -> None:
    _facts(console, e, _quantized(e))
    names, columns = _names(e.layers, _room(console)), _columns(console, e)
    header = ("layer", *(c.name for c in columns))
    rows = [(_named(layer, names), *(c.cell(layer) for c in columns)) for layer in e.layers]
    left = frozenset({0, *(k for k, c in enumerate(columns, 1) if c.words)})
    table(console, header, rows, left=left)
    _by_reason(console, "float", ((names[layer.layer], layer.why_float) for layer in e.layers))
    _by_reason(console, "no errors", ((names[layer.layer], layer.unmeasured) for layer in e.layers))


def _room(console: Console) -> int:
    """For a layer with its operator: half of the page."""
    return max((page_width(console) - MARGIN) // 2, _NARROWEST)


def _names(layers: Sequence[LayerExplained], room: int) -> dict[str, str]:
    """The name each is printed with: its number in the graph's order, and a name as short as its operator's column leaves."""
    longest = max((len(layer.operator) for layer in layers), default=0)
    short = short_names((layer.layer for layer in layers), min(max(room - longest - 8, _SHORTEST), LONGEST))
    return {layer.layer: f"#{k} {short[layer.layer]}" for k, layer in enumerate(layers, 1)}


def _facts(console: Console, e: Explanation, quantized: Sequence[LayerExplained]) -> None:
    facts = [e.candidate, f"{len(quantized)} of {counted(len(e.layers), 'layer')} quantized"]
    facts += [f"{n} in {scheme}" if n < len(quantized) else scheme for scheme, n in schemes_of(quantized)]
    facts.append(f"errors on {counted(e.samples, 'sample')}")
    say(console, "explain", facts)
    if e.own_float:
        against = "  layers are compared with the trained network's own float graph"
        say(console, "explain", [f"{against}: {e.own_float}"])
    if e.calibrator:
        say(console, "explain", [f"  ranges: {e.calibrator}"])
    for how, layers in Counter(how for layer in e.layers for how in layer.remedies).items():
        say(console, "explain", [f"  {counted(layers, 'layer')}: {how}"])
    if e.gain_db is not None and abs(e.gain_db) >= _SHOWN_DB:
        say(
            console,
            "explain",
            [f"  this brought the outputs {e.gain_db:.1f} dB closer on calibration samples"],
        )
    for result in e.repairs:
        outcome = "used" if result.kept else "not used"
        say(console, "pass", [result.repair, outcome, *_worth(result), result.why])
    for line in _tensor_matches(e.partners, _room(console)) if e.partners else ():
        say(console, "explain", [line])


def _worth(result: PassResult) -> list[str]:
    return (
        [] if result.gain_db is None else [f"{result.gain_db:+.1f} dB at the outputs on calibration samples"]
    )


def _named(layer: LayerExplained, names: Mapping[str, str]) -> str:
    known = not layer.inside or layer.layer.startswith(layer.inside)
    inside = "" if known else f" in {short_name(layer.inside)}"
    return f"{names[layer.layer]} ({layer.operator}){inside}"


def _by_reason(console: Console, word: str, reasons: Iterable[tuple[str, str]]) -> None:
    """A line for each reason, with the layers that have it."""
    groups: dict[str, list[str]] = defaultdict(list)
    for name, why in reasons:
        if why:
            groups[why].append(name)
    for why, names in groups.items():
        say(console, word, [f"{_listed(names)}: {why}"])


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _tensor_matches(p: TensorMatches, room: int) -> list[str]:
    """The figure, and what is unmatched by reason."""
    lines = [f"  {p.matched} of {counted(p.tensors, 'TFLite tensor')} matched to ONNX tensors by value"]
    names = short_names((_tensor(one) for one in p.without), min(room, LONGEST))
    by_reason: dict[str, list[str]] = defaultdict(list)
    for one in p.without:
        by_reason[one.reason].append(one.what.replace(_tensor(one), names[_tensor(one)]))
    for reason, found in by_reason.items():
        lines.append(f"  unmatched: {_listed(found)} ({reason})")
    return lines


def _tensor(one: Skipped) -> str:
    """Its name, without the operator that makes it."""
    return one.what.partition(": ")[2]
