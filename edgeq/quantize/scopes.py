"""Every graph of an ONNX model, the ones inside of If, Loop and Scan too, with what is constant and known of shape there.

Reads; what is done with it is for others.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Shape = tuple[int | None, ...]


@dataclass(frozen=True)
class Scope:
    """`constants` are the TensorProtos that nodes of `graph` can read by name, `homes` the graphs that hold them: an
    inner graph sees the outer ones' too. A dimension that is open is None.
    """

    graph: Any
    constants: Mapping[str, Any]
    homes: Mapping[str, Any]
    shapes: Mapping[str, Shape]


def scopes(graph: Any, outer: Scope | None = None) -> Iterator[Scope]:
    """The scope of `graph` (a GraphProto with inferred shapes) and of every graph inside of it, outermost first."""
    own = {tensor.name: tensor for tensor in graph.initializer} | _constant_nodes(graph)
    scope = Scope(
        graph,
        {**(outer.constants if outer else {}), **own},
        {**(outer.homes if outer else {}), **dict.fromkeys(own, graph)},
        {**(outer.shapes if outer else {}), **_shapes(graph)},
    )
    yield scope
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (*([attribute.g] if attribute.HasField("g") else ()), *attribute.graphs):
                yield from scopes(inner, scope)


def drop_unread(graph: Any) -> None:
    """Removes initialisers and Constant nodes that nothing reads, in the graphs inside too; outputs stay."""
    read = _read(graph)
    for scope in scopes(graph):
        kept = [t for t in scope.graph.initializer if t.name in read]
        if len(kept) < len(scope.graph.initializer):
            del scope.graph.initializer[:]
            scope.graph.initializer.extend(kept)
        nodes = [n for n in scope.graph.node if n.op_type != "Constant" or n.output[0] in read]
        if len(nodes) < len(scope.graph.node):
            del scope.graph.node[:]
            scope.graph.node.extend(nodes)


def _read(graph: Any) -> set[str]:
    """Names that some node or output reads, wherever."""
    graphs = [scope.graph for scope in scopes(graph)]
    return {name for g in graphs for node in g.node for name in node.input} | {
        output.name for g in graphs for output in g.output
    }


def _constant_nodes(graph: Any) -> dict[str, Any]:
    return {
        node.output[0]: attribute.t
        for node in graph.node
        if node.op_type == "Constant"
        for attribute in node.attribute
        if attribute.name == "value"
    }


def _shapes(graph: Any) -> dict[str, Shape]:
    found = {}
    for value in (*graph.input, *graph.value_info, *graph.output):
        kind = value.type.tensor_type
        if kind.HasField("shape"):
            dims = kind.shape.dim
            found[value.name] = tuple(d.dim_value if d.HasField("dim_value") else None for d in dims)
    return found
