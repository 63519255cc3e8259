"""Where a model's multiply-accumulates (MACs) and weight bytes are, per operator type, in ONNX's words.

Reads shapes, never values. A shape that stays open counts as one, which is enough for shares.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgeq.foreign import as_conversion_failed

from .input_shapes import OPEN_SHAPES, Shapes, sized
from .onnx_index import index_of
from .onnx_io import opset_of
from .op_sets import HEAVY
from .tflite import read_tflite
from .weights_in_file import read_weightless

if TYPE_CHECKING:
    import onnx

# What a .tflite file calls them, with the positions of data and weights.
_TFLITE = {
    "CONV_2D": ("Conv", 0, 1),
    "DEPTHWISE_CONV_2D": ("Conv", 0, 1),
    "TRANSPOSE_CONV": ("ConvTranspose", 2, 1),
    "FULLY_CONNECTED": ("Gemm", 0, 1),
    "BATCH_MATMUL": ("MatMul", 0, 1),
}
TFLITE_HEAVY = tuple(_TFLITE)


@dataclass(frozen=True)
class GraphMacs:
    """`macs` and `weight_bytes` per operator type of HEAVY; `fixed` counts nodes whose weights are constants. `opset` is
    that of an ONNX graph.
    """

    macs: dict[str, int]
    weight_bytes: dict[str, int]
    fixed: dict[str, int]
    opset: int | None = None

    def has(self, operators: tuple[str, ...]) -> bool:
        """Whether any of these operators has weights that are constants."""
        return any(self.fixed.get(o) for o in operators)

    def macs_share(self, operators: tuple[str, ...]) -> float:
        """Of the MACs, 0..1."""
        total = sum(self.macs.values())
        return sum(self.macs.get(o, 0) for o in operators) / total if total else 0.0

    def weight_share(self, operators: tuple[str, ...]) -> float:
        total = sum(self.weight_bytes.values())
        return sum(self.weight_bytes.get(o, 0) for o in operators) / total if total else 0.0

    def rows(self, operators: tuple[str, ...]) -> float:
        """How many rows each of their weights multiplies in one run, in the mean."""
        weights = sum(self.weight_bytes.get(o, 0) for o in operators) / 4
        return sum(self.macs.get(o, 0) for o in operators) / weights if weights else 0.0


def graph_macs(path: Path, format: str, shapes: Shapes = OPEN_SHAPES) -> GraphMacs:
    """`shapes` are those of open inputs. Raises ConversionFailed when the file is none of its format."""
    return _onnx_graph(path, shapes) if format == "onnx" else _tflite_graph(path)


def macs_of_file(path: Path, shapes: Shapes = OPEN_SHAPES) -> int:
    """Multiply-accumulates of one run of an .onnx or .tflite file, without the memory that its weights take. `shapes` are
    those of open inputs. Raises ConversionFailed when the file cannot be read.
    """
    if path.suffix == ".tflite":
        return sum(_tflite_graph(path).macs.values())
    with as_conversion_failed(f"cannot read {path.name} as ONNX"):
        return onnx_macs(sized(read_weightless(path), shapes))


def onnx_node_shares(model: "onnx.ModelProto") -> dict[str, tuple[float, float]]:
    """Per heavy node of the main graph of `model`, which has inferred shapes, its shares of the MACs and of the weights."""
    nodes = {
        node.name: (macs_of(node, shapes), sum(_size(constants[i]) for i in node.input[1:] if i in constants))
        for node, shapes, constants in heavy_nodes(model.graph)
    }
    return _shares(nodes)


def onnx_macs(model: "onnx.ModelProto") -> int:
    """Multiply-accumulates of one run of a model with inferred shapes."""
    return sum(macs_of(node, shapes) for node, shapes, _ in heavy_nodes(model.graph))


def tflite_operator_shares(path: Path) -> dict[str, tuple[float, float]]:
    """The same per heavy operator, by the name of its output."""
    return _shares({op.out: (op.macs, _size(op.weight) * op.constant) for op in heavy_operators(path)})


def _shares(counts: dict[str, tuple[int, int]]) -> dict[str, tuple[float, float]]:
    macs, weights = (max(sum(part), 1) for part in zip(*counts.values(), strict=True)) if counts else (1, 1)
    return {name: (m / macs, w / weights) for name, (m, w) in counts.items()}


def _tflite_graph(path: Path) -> GraphMacs:
    macs: dict[str, int] = defaultdict(int)
    weights: dict[str, int] = defaultdict(int)
    fixed: dict[str, int] = defaultdict(int)
    for op in heavy_operators(path):
        macs[op.kind] += op.macs
        weights[op.kind] += 4 * _size(op.weight) * op.constant
        fixed[op.kind] += op.constant
    return GraphMacs(dict(macs), dict(weights), dict(fixed))


@dataclass(frozen=True)
class HeavyOperator:
    """Of a .tflite: `kind` in ONNX's words and in its `own`, the name of its output, the shape of its weights, whether they are
    `constant`, and the multiply-accumulates of one run.
    """

    kind: str
    own: str
    out: str
    weight: tuple[int, ...]
    constant: bool
    macs: int


def heavy_operators(path: Path) -> Iterator[HeavyOperator]:
    """In their order."""
    graph = read_tflite(path)
    for op in graph.operators:
        kind, data, weight = _TFLITE.get(op.kind, ("", 0, 0))
        if kind and len(op.inputs) > max(data, weight):
            x, w, out = (graph.tensors[i] for i in (op.inputs[data], op.inputs[weight], op.outputs[0]))
            macs = _tflite_macs(op.kind, x.shape, w.shape, out.shape)
            yield HeavyOperator(kind, op.kind, out.name, w.shape, w.constant, macs)


def _tflite_macs(kind: str, x: "Shape", w: "Shape", out: "Shape") -> int:
    if kind == "TRANSPOSE_CONV":  # weights are [out, height, width, in]
        return _size(x) * _size(w[:-1])
    if kind == "DEPTHWISE_CONV_2D":  # weights are [1, height, width, out]
        return _size(out) * _size(w[:-1])
    if kind == "CONV_2D":  # weights are [out, height, width, in]
        return _size(out) * _size(w[1:])
    return _size(out) * (x[-1] if x else 1)


def _onnx_graph(path: Path, shapes: Shapes) -> GraphMacs:
    with as_conversion_failed(f"cannot read {path.name} as ONNX"):
        model = sized(read_weightless(path), shapes)
    macs: dict[str, int] = defaultdict(int)
    weights: dict[str, int] = defaultdict(int)
    fixed: dict[str, int] = defaultdict(int)
    for node, shapes, constants in heavy_nodes(model.graph):
        macs[node.op_type] += macs_of(node, shapes)
        named = [i for i in node.input[1:] if i in constants]
        weights[node.op_type] += sum(4 * _size(constants[i]) for i in named)
        fixed[node.op_type] += bool(named)
    return GraphMacs(dict(macs), dict(weights), dict(fixed), opset_of(model))


Shape = tuple[int, ...]


def heavy_nodes(
    graph: "onnx.GraphProto",
) -> Iterator[tuple["onnx.NodeProto", dict[str, Shape], dict[str, Shape]]]:
    """Heavy nodes of the graph and of the graphs inside its nodes, with the shapes known there and those of float32
    constants: a body reads those of the graphs around it too.
    """
    for scope in index_of(graph).scopes():
        heavy = [node for node in scope.nodes if node.op_type in HEAVY]
        if not heavy:
            continue
        stored = {name: tuple(t.dims) for name, t in scope.constants.items()}
        # No quantizer takes weights of half or double precision.
        constants = {name: stored[name] for name, t in scope.constants.items() if t.data_type == t.FLOAT}
        known = {name: tuple(1 if d is None else d for d in shape) for name, shape in scope.shapes.items()}
        for node in heavy:
            yield node, stored | known, constants


def macs_of(node: "onnx.NodeProto", shapes: dict[str, Shape]) -> int:
    """Multiply-accumulates of one run of a node of HEAVY: outputs times the terms of each sum."""
    out = shapes.get(node.output[0], ())
    weight = shapes.get(node.input[1], ()) if len(node.input) > 1 else ()
    if node.op_type == "Conv":
        return _size(out) * _size(weight[1:])
    if node.op_type == "ConvTranspose":
        return _size(shapes.get(node.input[0], ())) * _size(weight[1:])
    if node.op_type in ("LSTM", "GRU", "RNN"):
        steps = (shapes.get(node.input[0], ()) or (1,))[0]
        return steps * (_size(weight) + _size(shapes.get(node.input[2], ())))
    first = shapes.get(node.input[0], ())
    transposed = node.op_type == "Gemm" and any(a.name == "transA" and a.i for a in node.attribute)
    terms = (first[0] if transposed else first[-1]) if first else 1
    return _size(out) * terms


def _size(shape: Shape) -> int:
    size = 1
    for d in shape:
        size *= max(d, 1)
    return size
