"""Which layers touch a tensor that has no scale: infinities and numbers that stand for them, in an attention's mask or the
padding of a maximum, and tensors without values.

In 8 bits such a mask is either lost, or every score next to it is.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgeq.graphs.tflite import read_tflite
from edgeq.quantize.calibration.calibrate import Calibration
from edgeq.quantize.calibration.tensor_stats import TensorStats
from edgeq.quantize.passes.ranges.attention_masks import MAX_POOL, SOFTMAX, Layer, hiding, leading_to

_STANDS_FOR_INFINITY = (
    1e30  # masks have the lowest float32, -3.4e38; float32 sums of anything else lose their meaning
)
_NO_ROOM = "{} holds values that no scale has room for ({})"
_NO_VALUES = "{} has no values, so there is no range for it"


def without_scale_in_onnx(model: Any, calibration: Calibration) -> dict[str, str]:
    """By name the nodes of the main graph, with the reason."""
    layers = [Layer(n.name, n.op_type, tuple(n.input), tuple(n.output)) for n in model.graph.node]
    return _touching(layers, calibration.tensors)


def without_scale_in_tflite(source: Path, calibration: Calibration) -> dict[str, str]:
    """By first output the operators, with the reason."""
    graph = read_tflite(source)
    names = [t.name for t in graph.tensors]
    layers = [
        Layer(names[o.outputs[0]], o.kind, [names[i] for i in o.inputs], [names[i] for i in o.outputs])
        for o in graph.operators
        if o.outputs
    ]
    return _touching(layers, calibration.tensors)


def _touching(layers: Sequence[Layer], tensors: Mapping[str, TensorStats]) -> dict[str, str]:
    why = _why_none(layers, tensors)
    found = {}
    for layer in layers:
        reason = next((why[t] for t in (*layer.inputs, *layer.outputs) if t in why), None)
        if reason is not None:
            found[layer.name] = reason
    return found


def _why_none(layers: Sequence[Layer], tensors: Mapping[str, TensorStats]) -> dict[str, str]:
    masks = hiding(layers, tensors)
    scores, pooled = leading_to(layers, SOFTMAX), leading_to(layers, MAX_POOL)
    found = {}
    for name, stats in tensors.items():
        largest = max(stats.extremes, key=abs)
        if stats.not_finite or abs(largest) > _STANDS_FOR_INFINITY or name in masks:
            what = "not finite" if stats.not_finite else f"{largest:.2g}"
            if name in masks or name in scores:
                what = f"{'-inf' if stats.not_finite else what}, as in an attention mask"
            elif name in pooled:
                what += ", as in the padding of a maximum"
            found[name] = _NO_ROOM.format(name, what)
        elif not stats.count:
            found[name] = _NO_VALUES.format(name)
    return found
