"""The layers of a float ONNX graph that have weights, the ones inside of If, Loop and Scan too. Changes nothing."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from edgeq.graphs.onnx_index import OnnxIndex, index_of, named_bodies
from edgeq.graphs.op_sets import HEAVY
from edgeq.quantize.graph_work import macs_of

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto

_FEWEST = 1024  # values of a table that rows are looked up in; less is no layer that anyone asks for

# To a graph inside of others, outermost first: the first output of each node around it, and which of its graphs.
Path = tuple[tuple[str, str], ...]


@dataclass(frozen=True, eq=False)
class WeightedLayer:
    """`name` is the node's, or that of its output, and unique; `output` is its first. `macs`: of one run, 0 of a lookup.
    `inside` names the nodes around it, empty in the main graph.
    """

    name: str
    kind: str
    output: str
    macs: int
    path: Path
    inside: str


def weighted_layers(model: "ModelProto") -> tuple[WeightedLayer, ...]:
    """In running order, of a model with inferred shapes. Products of two operands that change are among them."""
    found = [
        layer
        for (path, inside), scope in zip(
            _places(model.graph, (), ""), index_of(model.graph).scopes(), strict=True
        )
        for layer in _layers(scope, path, inside)
    ]
    named = Counter(layer.name for layer in found)
    return tuple(_apart(layer) if named[layer.name] > 1 else layer for layer in found)


def graphs_by_path(graph: "GraphProto", path: Path = ()) -> "dict[Path, GraphProto]":
    """`graph` itself and those inside of it."""
    found = {path: graph}
    for node, which, inner in _bodies(graph):
        found |= graphs_by_path(inner, (*path, (node.output[0], which)))
    return found


def _places(graph: "GraphProto", path: Path, inside: str) -> Iterator[tuple[Path, str]]:
    """In the order of `scopes`."""
    yield path, inside
    for node, which, inner in _bodies(graph):
        around = f"{inside}/{node.name or node.output[0]}" if inside else node.name or node.output[0]
        yield from _places(inner, (*path, (node.output[0], which)), around)


def _bodies(graph: "GraphProto") -> "Iterator[tuple[NodeProto, str, GraphProto]]":
    """(node, name of the attribute, graph) of what is right inside."""
    return ((node, name, body) for node in graph.node for name, body in named_bodies(node))


def _layers(scope: OnnxIndex, path: Path, inside: str) -> Iterator[WeightedLayer]:
    constants = {name: tuple(tensor.dims) for name, tensor in scope.constants.items()}
    shapes = constants | {name: tuple(d or 1 for d in dims) for name, dims in scope.shapes.items()}
    for node in scope.nodes:
        if node.op_type in HEAVY or _looks_up(node, scope):
            output = next(name for name in node.output if name)
            macs = macs_of(node, shapes) if node.op_type in HEAVY else 0
            yield WeightedLayer(node.name or output, node.op_type, output, macs, path, inside)


def _looks_up(node: "NodeProto", scope: OnnxIndex) -> bool:
    """Whether it takes rows of a fixed matrix of floats: an embedding."""
    from onnx import TensorProto

    table = scope.constants.get(node.input[0]) if node.op_type == "Gather" else None
    if table is None or table.data_type != TensorProto.FLOAT or len(table.dims) != 2:
        return False
    by_rows = not any(a.name == "axis" and a.i for a in node.attribute)
    return by_rows and bool(table.dims[0] * table.dims[1] >= _FEWEST)


def _apart(layer: WeightedLayer) -> WeightedLayer:
    """Named after what is around it too: both branches of an If may have the same nodes, and so may two Ifs."""
    around = (layer.inside, *(which for _, which in layer.path))
    return replace(layer, name="/".join(name for name in (*around, layer.name, layer.output) if name))
