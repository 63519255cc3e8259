"""Which columns the table of `edgeq explain` has: those with a value for some layer of the candidate."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edgeq.nouns.explanation import LayerExplained
from edgeq.report.formats.units import percent


@dataclass(frozen=True)
class Column:
    """`means` is its text in the legend; empty where the name is enough."""

    name: str
    cell: Callable[[LayerExplained], str]
    means: str = ""
    words: bool = False


def columns_of(quantized: Sequence[LayerExplained], bar: int, *, fixed: bool) -> list[Column]:
    """Those with a value for some of these layers. `fixed`: ranges are, and a kernel may still not take them."""
    largest = max((layer.error or 0.0 for layer in quantized), default=0.0)
    columns = [Column("work", lambda one: percent(one.work))]
    if largest:
        columns += _errors(quantized, bar / largest, _digits(largest))
    if any(layer.overflows for layer in quantized):
        means = "pairs of weights that can overflow 16 bits"
        columns.append(Column("saturation", lambda one: _number(one.overflows), means))
    unfused = fixed and any(_is_unfused(layer) for layer in quantized)
    means = "unfused computes in float between conversions" if unfused else ""
    columns.append(Column("kernel", _kernel if fixed else _plain_kernel, means, words=True))
    if any(layer.low is not None for layer in quantized):
        columns.append(Column("input range", _range))
    if len(schemes_of(quantized)) > 1:
        columns.append(Column("scheme", lambda one: one.scheme, words=True))
    return columns


def _digits(largest: float) -> int:
    """Behind the point of a percentage: half precision loses hundredths."""
    return 1 if largest >= 0.01 else 2 if largest >= 0.001 else 3


def _errors(quantized: Sequence[LayerExplained], scale: float, digits: int) -> list[Column]:
    """`scale`: characters of the bar for an error of 1."""

    def share(part: float | None) -> str:
        return "" if part is None else percent(part, digits)

    found = [
        Column(
            "error",
            lambda one: share(one.error),
            "RMS error of the output / RMS of float's output",
        ),
        Column("bar", lambda one: "#" * round(scale * (one.error or 0.0)), words=True),
        Column("own", lambda one: share(one.own), "error of this layer alone (float input)"),
    ]
    causes = (
        Column("clipping", lambda one: share(one.clipping), "error of input values outside the range"),
        Column(
            "rounding",
            lambda one: share(one.rounding),
            "error inherited from the quantized input",
        ),
        Column("weights", lambda one: share(one.weights), "error of rounded weights (parts may cancel)"),
        Column("bias shift", lambda one: share(one.bias_shift), "mean error per channel"),
    )
    return found + [cause for cause in causes if any(cause.cell(layer) for layer in quantized)]


def _range(layer: LayerExplained) -> str:
    return "" if layer.low is None or layer.high is None else f"{layer.low:.3g} to {layer.high:.3g}"


def _number(pairs: int | None) -> str:
    return f"{pairs:,}" if pairs else ""


def _kernel(layer: LayerExplained) -> str:
    return "unfused" if _is_unfused(layer) else _plain_kernel(layer)


def _plain_kernel(layer: LayerExplained) -> str:
    return "integer" if layer.integer else "float16" if layer.scheme == "float16" else "float"


def _is_unfused(layer: LayerExplained) -> bool:
    return layer.scheme != "float" and not layer.integer


def schemes_of(layers: Sequence[LayerExplained]) -> list[tuple[str, int]]:
    return Counter(layer.scheme for layer in layers).most_common()
