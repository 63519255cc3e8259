"""The float file that a candidate's layers are compared with: the model's own, or where a trained network has other layers than the
model, as after pruning, the float graph of the trained network itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edgeq import catalog
from edgeq.graphs.float_graph import read as read_float
from edgeq.graphs.macs import heavy_nodes, heavy_operators
from edgeq.graphs.onnx_index import index_of
from edgeq.graphs.onnx_io import read_onnx, write_onnx
from edgeq.graphs.tflite import packed, read_model
from edgeq.nouns.plan import CandidatePlan
from edgeq.plain_text import counted
from edgeq.quantize.trained.float_graph import float_graph
from edgeq.quantize.trained.float_tflite import float_tflite

_TRAINED = "trained"  # a recipe's method


@dataclass(frozen=True)
class FloatSide:
    """`why` says why `path` is not the float model; empty where it is."""

    path: Path
    why: str = ""


def float_side(source: Path, quantized: Path, plan: CandidatePlan, folder: Path) -> FloatSide:
    """Of the candidate `plan` in the file `quantized`, of the model whose float file is `source`. A file that is made lies in `folder`.
    Raises ConversionFailed where a file cannot be read.
    """
    if catalog.recipe(plan.recipe).method != _TRAINED:
        return FloatSide(source)
    own = folder / f"{plan.id}.float.{plan.format}"
    if plan.format == "onnx":
        write_onnx(float_graph(read_onnx(quantized)), own)
        whole, left = (_OnnxLayers.of(path) for path in (source, own))
        others = [name for name in whole.shapes if not left.has(name, whole)]
        count = len(whole.shapes)
    else:
        own.write_bytes(packed(float_tflite(read_model(quantized))))
        shapes, own_shapes = _tflite_shapes(source), _tflite_shapes(own)
        others = [name for name, shape in shapes.items() if own_shapes.get(name) != shape]
        count = len(shapes)
    return FloatSide(own, _why(len(others), count)) if others else FloatSide(source)


def _why(others: int, count: int) -> str:
    verb = "is" if others == 1 else "are"
    return f"{others} of the float model's {counted(count, 'layer')} {verb} not in it by name, or with weights of another shape"


@dataclass(frozen=True)
class _OnnxLayers:
    """By layer with constant weights the shape of these and the name of its output; and all tensors that nodes make."""

    shapes: Mapping[str, tuple[int, ...]]
    outputs: Mapping[str, str]
    made: frozenset[str]

    @classmethod
    def of(cls, path: Path) -> "_OnnxLayers":
        graph = read_float(path).graph
        shapes, outputs = {}, {}
        for node, _, constants in heavy_nodes(graph):
            weight = node.input[1] if len(node.input) > 1 else ""
            if weight in constants:
                name = node.name or node.output[0]
                shapes[name], outputs[name] = constants[weight], node.output[0]
        nodes = (node for scope in index_of(graph).scopes() for node in scope.nodes)
        return cls(shapes, outputs, frozenset(name for node in nodes for name in node.output))

    def has(self, name: str, whole: "_OnnxLayers") -> bool:
        """The layer of `whole`, or, in place of one that a pass replaced, the tensor that it made."""
        if name in self.shapes:
            return self.shapes[name] == whole.shapes[name]
        return whole.outputs[name] in self.made


def _tflite_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Of constant weights, by the name of their operator's output."""
    return {op.out: op.weight for op in heavy_operators(path) if op.constant}
