"""Finds the layers that touch a tensor without a usable scale, for they stay in float: infinities and numbers that stand for
them (attention masks, the padding before a max pool), and tensors without values.

A softmax gives e^-32 next to nothing, so any value below -32 masks a score; and a scale whose range holds -10000 or -1e9
rounds all scores to one step. The rule is about values, not about the number that a model writes.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgeq.graphs.tflite import read_tflite
from edgeq.quantize.calibration.calibrate import Calibration
from edgeq.quantize.calibration.tensor_stats import TensorStats

if TYPE_CHECKING:
    import onnx

STANDS_FOR_INFINITY = (
    1e30  # masks have the lowest float32, -3.4e38; float32 sums of such values are meaningless
)
_NO_ROOM = "{} holds values that cannot share a scale with the others ({})"
_NO_VALUES = "{} has no values, so there is no range for it"
_SOFTMAX = frozenset({"SOFTMAX", "LOGSOFTMAX"})
_MAX_POOL = frozenset({"MAXPOOL", "MAXPOOL2D", "GLOBALMAXPOOL"})

_MASKED = -32.0  # the largest value that a softmax makes next to zero
_DOMINATES = 8.0  # times the scores: they keep less than 5 of 8 bits
_MOVES = frozenset(
    [
        "RESHAPE",
        "TRANSPOSE",
        "SQUEEZE",
        "UNSQUEEZE",
        "EXPANDDIMS",
        "EXPAND",
        "BROADCASTTO",
        "FLATTEN",
        "CAST",
        "IDENTITY",
        "DROPOUT",
        "SLICE",
        "STRIDEDSLICE",
        "GATHER",
        "TILE",
    ]
)
_JOINS = frozenset(["ADD", "SUB", "WHERE", "SELECT", "SELECTV2", "MIN", "MINIMUM", "MAX", "MAXIMUM"])
_SUM_WITH_PRODUCT = "GEMM"  # its third input is added
_SCALES = frozenset(["MUL", "DIV"])


@dataclass(frozen=True)
class Layer:
    """`kind` as ONNX or TFLite write it, tensors by name; `name` as in the set of layers in float."""

    name: str
    kind: str
    inputs: Sequence[str]
    outputs: Sequence[str]

    @property
    def plain_kind(self) -> str:
        """One spelling: MAXPOOL2D of MAX_POOL_2D, SOFTMAX of Softmax."""
        return self.kind.upper().replace("_", "")

    @property
    def carried(self) -> Sequence[str]:
        """Inputs whose values the outputs have: moved, scaled, added to others or selected."""
        kind = self.plain_kind
        if kind == _SUM_WITH_PRODUCT:
            return self.inputs[2:3]
        return self.inputs if kind in _JOINS | _SCALES else self.inputs[:1] if kind in _MOVES else ()


def without_scale_in_onnx(model: "onnx.ModelProto", calibration: Calibration) -> dict[str, str]:
    """Nodes of the main graph, by name, with the reason."""
    layers = [Layer(n.name, n.op_type, tuple(n.input), tuple(n.output)) for n in model.graph.node]
    return layers_without_scale(layers, calibration.tensors)


def without_scale_in_tflite(source: Path, calibration: Calibration) -> dict[str, str]:
    """Operators by first output, with the reason."""
    graph = read_tflite(source)
    names = [t.name for t in graph.tensors]
    layers = [
        Layer(names[o.outputs[0]], o.kind, [names[i] for i in o.inputs], [names[i] for i in o.outputs])
        for o in graph.operators
        if o.outputs
    ]
    return layers_without_scale(layers, calibration.tensors)


def layers_without_scale(layers: Sequence[Layer], tensors: Mapping[str, TensorStats]) -> dict[str, str]:
    why = _reasons(layers, tensors)
    found = {}
    for layer in layers:
        reason = next((why[t] for t in (*layer.inputs, *layer.outputs) if t in why), None)
        if reason is not None:
            found[layer.name] = reason
    return found


def _reasons(layers: Sequence[Layer], tensors: Mapping[str, TensorStats]) -> dict[str, str]:
    masks = masked_tensors(layers, tensors)
    scores, pooled = _leading_to(layers, _SOFTMAX), _leading_to(layers, _MAX_POOL)
    found = {}
    for name, stats in tensors.items():
        largest = max(stats.extremes, key=abs)
        if stats.not_finite or abs(largest) > STANDS_FOR_INFINITY or name in masks:
            what = "not finite" if stats.not_finite else f"{largest:.2g}"
            if name in masks or name in scores:
                what = f"{'-inf' if stats.not_finite else what}, as in an attention mask"
            elif name in pooled:
                what += ", as in the padding of a maximum"
            found[name] = _NO_ROOM.format(name, what)
        elif not stats.count:
            found[name] = _NO_VALUES.format(name)
    return found


def _leading_to(layers: Sequence[Layer], kinds: Collection[str]) -> frozenset[str]:
    """Tensors whose values reach a layer of `kinds`. `layers` are in running order."""
    found: set[str] = set()
    for layer in reversed(layers):
        if layer.plain_kind in kinds:
            found.update(layer.inputs)
        elif not found.isdisjoint(layer.outputs):
            found.update(layer.carried)
    return frozenset(found)


def masked_tensors(layers: Sequence[Layer], tensors: Mapping[str, TensorStats]) -> frozenset[str]:
    """Masks that are combined with scores before a softmax, and every tensor from there to it. `layers` as above."""
    path = _leading_to(layers, _SOFTMAX)
    maker = {name: layer for layer in layers for name in layer.outputs}
    masked: set[str] = set()
    masks: set[str] = set()
    for layer in layers:
        out = next((o for o in layer.outputs if o in path), None)
        if out is None:
            continue
        if not masked.isdisjoint(layer.carried):
            masked.add(out)
            continue
        found = _masks_combined(layer, tensors, out)
        if found is not None:
            masked.add(out)
            masks |= found
    return frozenset(masked | _with_what_they_move(masks, maker))


def _masks_combined(layer: Layer, tensors: Mapping[str, TensorStats], out: str) -> set[str] | None:
    """The inputs that are masks, none where the mask is a constant; None where the scores keep enough of the range."""
    kind = layer.plain_kind
    if kind not in _JOINS | {_SUM_WITH_PRODUCT} or out not in tensors:
        return None
    low, high = tensors[out].extremes
    sizes = {i: _size(tensors[i]) for i in layer.carried if i in tensors and tensors[i].count}
    masks = {i for i, size in sizes.items() if size * 2 >= -low}
    scores = [size for i, size in sizes.items() if i not in masks]
    known = bool(masks) if kind == _SUM_WITH_PRODUCT else bool(scores)
    if low > _MASKED or not known or max(high, *scores, 0.0) * _DOMINATES > -low:
        return None
    return masks


def _size(stats: TensorStats) -> float:
    return max(map(abs, stats.extremes))


def _with_what_they_move(tensors: Collection[str], maker: Mapping[str, Layer]) -> set[str]:
    """`tensors`, and the tensors whose values each of them only moves."""
    found: set[str] = set()
    for tensor in tensors:
        name: str | None = tensor
        while name is not None and name not in found:
            found.add(name)
            layer = maker.get(name)
            name = layer.inputs[0] if layer and layer.plain_kind in _MOVES and layer.inputs else None
    return found
