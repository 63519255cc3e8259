"""Which layers touch a tensor that has no scale: minus infinity in an attention's mask, or numbers that stand for it, and
tensors without values.

In 8 bits such a mask is either lost, or every score next to it is.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from edgeq.quantize.calibrate import Calibration
from edgeq.quantize.observers.seen import Seen
from edgeq.quantize.tflite_file import read

_STANDS_FOR_INFINITY = (
    1e30  # masks have the lowest float32, -3.4e38; float32 sums of anything else lose their meaning
)
_NO_ROOM = "{} holds values that no scale has room for (-inf, as in an attention mask)"
_NO_VALUES = "{} has no values, so there is no range for it"

Layer = tuple[str, Sequence[str]]


def without_scale_in_onnx(model: Any, calibration: Calibration) -> dict[str, str]:
    """By name the nodes of the main graph, with the reason."""
    return _touching(((n.name, (*n.input, *n.output)) for n in model.graph.node), calibration.tensors)


def without_scale_in_tflite(source: Path, calibration: Calibration) -> dict[str, str]:
    """By first output the operators, with the reason."""
    graph = read(source)
    layers = (
        (graph.tensors[o.outputs[0]].name, [graph.tensors[i].name for i in (*o.inputs, *o.outputs)])
        for o in graph.operators
        if o.outputs
    )
    return _touching(layers, calibration.tensors)


def _touching(layers: Iterable[Layer], tensors: Mapping[str, Seen]) -> dict[str, str]:
    found = {}
    for name, touched in layers:
        for tensor in touched:
            why = _why_none(tensors[tensor]) if tensor in tensors else ""
            if why:
                found[name] = why.format(tensor)
                break
    return found


def _why_none(seen: Seen) -> str:
    if seen.not_finite or max(map(abs, seen.extremes)) > _STANDS_FOR_INFINITY:
        return _NO_ROOM
    return "" if seen.count else _NO_VALUES
