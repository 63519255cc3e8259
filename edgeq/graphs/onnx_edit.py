"""Changes of ONNX graphs that every room needs. None of them changes what a graph computes."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeVar

from .onnx_index import index_of

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, TensorProto

_Proto = TypeVar("_Proto", "ModelProto", "NodeProto", "TensorProto")


def copied(proto: _Proto) -> _Proto:
    """Of a model, a node or a tensor."""
    copy = type(proto)()
    copy.CopyFrom(proto)
    return copy


def set_nodes(graph: "GraphProto", nodes: "Iterable[NodeProto]") -> None:
    """Makes `nodes` those of the graph, in this order; they may be the graph's own."""
    kept = list(nodes)
    del graph.node[:]
    graph.node.extend(kept)


def set_initializers(graph: "GraphProto", tensors: "Iterable[TensorProto]") -> None:
    kept = list(tensors)
    del graph.initializer[:]
    graph.initializer.extend(kept)


def drop_unread(graph: "GraphProto") -> None:
    """Removes initializers and Constant nodes that nothing reads, in the bodies inside too; outputs stay."""
    scopes = [scope.graph for scope in index_of(graph).scopes()]
    read = {name for g in scopes for node in g.node for name in node.input}
    read |= {output.name for g in scopes for output in g.output}
    for scope in scopes:
        if any(t.name not in read for t in scope.initializer):
            set_initializers(scope, [t for t in scope.initializer if t.name in read])
        nodes = [n for n in scope.node if n.op_type != "Constant" or n.output[0] in read]
        if len(nodes) < len(scope.node):
            set_nodes(scope, nodes)


def free_name(name: str, taken: set[str], first: int = 2) -> str:
    """`name`, or with a number behind it, `first` or more, that gives none of `taken`; adds the name to `taken`."""
    found, number = name, first
    while found in taken:
        found, number = f"{name}_{number}", number + 1
    taken.add(found)
    return found
