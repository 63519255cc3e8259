"""Matches the layers and tensors of two graphs that were made from one model.

Layers with weights, between a float ONNX graph and the one quantized from it: by names. Emitters keep the name of what a node
outputs, whatever nodes they replace it with.
Tensors, between an ONNX graph and the .tflite graph converted from it: by their values (same_values.py). Constant values, and
values that several tensors have, match nothing: that would be luck.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgeq.graphs.macs import macs_of
from edgeq.graphs.onnx_index import OnnxIndex, index_of, named_bodies, names_read
from edgeq.graphs.op_sets import HEAVY, RESHAPES
from edgeq.graphs.tflite import read_tflite
from edgeq.nouns.explanation import TensorMatches
from edgeq.nouns.plan import Skipped
from edgeq.quantize.same_values import by_root, matches, onnx_values, tflite_values
from edgeq.quantize.samples import Array

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto

# To a graph inside of others, outermost first: the first output of each node around it, and which of its graphs.
GraphPath = tuple[tuple[str, str], ...]

_SMALLEST_TABLE = 1024  # values: a smaller table that rows are looked up in is not reported as a layer

_CONSTANT = "all its values are equal, so it cannot be matched"
_SEVERAL = "several tensors of the ONNX graph have these values"
_SHARED = "several tensors of the .tflite graph have these values"
_NONE = "no tensor of the ONNX graph has these values"


@dataclass(frozen=True, eq=False)
class WeightedLayer:
    """A layer of a float graph. `name` is that of the `node`, or of its output, and unique; `output` is its first. `macs`: of
    one run, 0 of a lookup. `inside` names the nodes around it, empty in the main graph.
    """

    name: str
    node: str
    kind: str
    output: str
    macs: int
    path: GraphPath
    inside: str


def weighted_layers(model: "ModelProto") -> tuple[WeightedLayer, ...]:
    """In running order, of a model with inferred shapes, inside of If, Loop and Scan too. Products of two activations are
    among them.
    """
    scopes = scopes_by_path(index_of(model.graph))
    found = [layer for path, inside, index in scopes for layer in _layers(index, path, inside)]
    times = Counter(layer.name for layer in found)
    return tuple(_with_full_name(layer) if times[layer.name] > 1 else layer for layer in found)


def scopes_by_path(
    index: OnnxIndex, path: GraphPath = (), inside: str = ""
) -> Iterator[tuple[GraphPath, str, OnnxIndex]]:
    """The graph itself and the ones inside of it, each with its path and the names of the nodes around it."""
    yield path, inside, index
    for node in index.nodes:
        name = node.name or node.output[0]
        for which, body in named_bodies(node):
            around = f"{inside}/{name}" if inside else name
            yield from scopes_by_path(index_of(body, index), (*path, (node.output[0], which)), around)


def _layers(index: OnnxIndex, path: GraphPath, inside: str) -> Iterator[WeightedLayer]:
    constants = {name: tuple(tensor.dims) for name, tensor in index.constants.items()}
    shapes = constants | {name: tuple(d or 1 for d in dims) for name, dims in index.shapes.items()}
    for node in index.nodes:
        if node.op_type in HEAVY or _is_embedding(node, index):
            output = next(name for name in node.output if name)
            macs = macs_of(node, shapes) if node.op_type in HEAVY else 0
            yield WeightedLayer(node.name or output, node.name, node.op_type, output, macs, path, inside)


def _is_embedding(node: "NodeProto", index: OnnxIndex) -> bool:
    """Whether it looks rows up in a constant matrix of floats."""
    table = index.constant(node.input[0]) if node.op_type == "Gather" else None
    if table is None or table.data_type != table.FLOAT or len(table.dims) != 2:
        return False
    by_rows = not any(a.name == "axis" and a.i for a in node.attribute)
    return by_rows and bool(table.dims[0] * table.dims[1] >= _SMALLEST_TABLE)


def _with_full_name(layer: WeightedLayer) -> WeightedLayer:
    """Named after what is around it too: both branches of an If may have the same nodes, and so may two Ifs."""
    around = (layer.inside, *(which for _, which in layer.path))
    return replace(layer, name="/".join(name for name in (*around, layer.name, layer.output) if name))


@dataclass(frozen=True, eq=False)
class MatchedLayer:
    """`nodes` of the quantized graph, in running order, compute `output` from the tensors `inputs`, constants aside."""

    output: str
    inputs: tuple[str, ...]
    nodes: "tuple[NodeProto, ...]"


class LayerMatcher:
    """Finds what the graph `quantized`, made from `float_graph`, has in place of a layer. `index` is that of `quantized`."""

    def __init__(self, float_graph: "GraphProto", quantized: "GraphProto") -> None:
        floats, self.index = index_of(float_graph), index_of(quantized)
        self._named = {(node.op_type, node.name): node for node in self.index.nodes if node.name}
        self._shared = (_computed(floats) & _computed(self.index)) - _rescaled(floats, self.index)

    def node(self, layer: WeightedLayer) -> "NodeProto | None":
        """The layer's node itself, where it has remained one of its kind."""
        return self._named.get((layer.kind, layer.name))

    def match(self, layer: WeightedLayer) -> MatchedLayer | None:
        """Up to its node where that has remained: a Q may have absorbed what follows it. Else up to the tensor of its
        output's name; None where there is none.
        """
        node = self.node(layer)
        output = layer.output if node is None else next(name for name in node.output if name)
        if self.index.producer(output) is None:
            return None
        nodes = self.index.ancestors([output], stop=self._shared - {output})
        inputs = set[str]().union(*map(names_read, nodes)) & self._shared
        return MatchedLayer(output, tuple(sorted(inputs)), nodes)


def _computed(index: OnnxIndex) -> set[str]:
    """All tensors but constants."""
    nodes = (node for node in index.nodes if node.op_type != "Constant")
    made = {name for node in nodes for name in node.output if name}
    return (made | {i.name for i in index.graph.input}) - index.constants.keys()


def _rescaled(float_index: OnnxIndex, quantized: OnnxIndex) -> set[str]:
    """Tensors of one name that differ by a factor for each channel (SmoothQuant): their node has another constant than in
    float, or only reshapes such a tensor or what a Mul gives that float does not have.
    """
    found: set[str] = set()
    for node in quantized.nodes:
        before = float_index.producer(node.output[0]) if node.output else None
        if before is None or before.op_type != node.op_type or node.op_type in HEAVY:
            continue
        pairs = zip(node.input, before.input, strict=False)
        if any(a != b and quantized.initializer(a) is not None for a, b in pairs) or (
            node.op_type in RESHAPES
            and (node.input[0] in found or _is_new_factor(node.input[0], float_index, quantized))
        ):
            found.add(node.output[0])
    return found


def _is_new_factor(tensor: str, float_index: OnnxIndex, quantized: OnnxIndex) -> bool:
    maker = quantized.producer(tensor)
    return maker is not None and maker.op_type == "Mul" and float_index.producer(tensor) is None


def matched_tensors(onnx_path: Path, tflite_path: Path, sample: tuple[Array, ...]) -> TensorMatches:
    """Of the float activations that operators of the .tflite file make. Raises ConversionFailed where a file does not run."""
    graph = read_tflite(tflite_path)
    tflite, onnx = tflite_values(tflite_path, sample), onnx_values(onnx_path, sample)
    members = by_root(graph, tflite)
    found = {root: matches([tflite[n] for n in names], onnx) for root, names in members.items()}
    reasons = {root: _why_unmatched(tflite[names[0]], found[root]) for root, names in members.items()}
    times = Counter(next(iter(found[root])) for root, why in reasons.items() if not why)
    for root, why in reasons.items():
        if not why and times[next(iter(found[root]))] > 1:
            reasons[root] = _SHARED
    why_not = {name: reasons[root] for root, names in members.items() for name in names}
    kinds = {graph.tensors[i].name: op.kind for op in graph.operators for i in op.outputs}
    without = tuple(Skipped(f"{kinds[name]}: {name}", why_not[name]) for name in tflite if why_not[name])
    return TensorMatches(len(tflite), len(tflite) - len(without), without)


def _why_unmatched(array: Array, matches: set[str]) -> str:
    """Empty for exactly one match."""
    if array.size == 0 or array.min() == array.max():
        return _CONSTANT
    return "" if len(matches) == 1 else _SEVERAL if matches else _NONE
