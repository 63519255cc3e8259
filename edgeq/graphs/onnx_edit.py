"""Changes of ONNX graphs that other packages share: nodes, initializers, free names, and nodes that take the place of one."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from .onnx_index import index_of

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, TensorProto

_INT8 = 3  # TensorProto.INT8
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


def with_weights_of_their_own(model: "ModelProto") -> "ModelProto":
    """A copy in which no two nodes of the main graph read the same int8 constant, also not by one DequantizeLinear."""
    copy = copied(model)
    index = index_of(copy.graph)
    taken = {name for node in copy.graph.node for name in (*node.input, *node.output)}
    nodes: list[NodeProto] = []
    read = set[str]()
    for node in copy.graph.node:
        for k, name in enumerate(node.input):
            dequantize = index.producer(name)
            if dequantize is not None and dequantize.op_type == "DequantizeLinear" and name in read:
                nodes.append(copied(dequantize))
                nodes[-1].name, nodes[-1].output[0] = "", free_name(name, taken)
                node.input[k] = nodes[-1].output[0]
            read.add(name)
        nodes.append(node)
    set_nodes(copy.graph, nodes)
    stored = {tensor.name: tensor for tensor in copy.graph.initializer}
    read.clear()
    for node in copy.graph.node:
        for k, name in enumerate(node.input):
            if name in read and name in stored and stored[name].data_type == _INT8:
                copy.graph.initializer.append(stored[name])
                copy.graph.initializer[-1].name = node.input[k] = free_name(name, taken)
            read.add(name)
    return copy


def free_name(name: str, taken: set[str], first: int = 2) -> str:
    """`name`, or with a number behind it, `first` or more, that gives none of `taken`; adds the name to `taken`."""
    found, number = name, first
    while found in taken:
        found, number = f"{name}_{number}", number + 1
    taken.add(found)
    return found


class NodeBuilder:
    """Nodes and constants that replace a node, in their order. Each call adds one and returns its name: `prefix` before it, a
    name that the model has already.
    """

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.nodes: list[NodeProto] = []
        self.tensors: dict[str, TensorProto] = {}

    def under(self, name: str) -> "NodeBuilder":
        """The same collection under a longer prefix."""
        longer = NodeBuilder(self.name(name))
        longer.nodes, longer.tensors = self.nodes, self.tensors
        return longer

    def name(self, of: str) -> str:
        return f"{self.prefix}.{of}"

    def constant(self, name: str, values: npt.ArrayLike) -> str:
        """The same name means the same values."""
        from onnx import numpy_helper

        full = self.name(name)
        if full not in self.tensors:
            self.tensors[full] = numpy_helper.from_array(np.array(values, order="C"), full)
        return full

    def node(self, kind: str, inputs: list[str], name: str, **attributes: Any) -> str:
        return self.node_of_many(kind, inputs, [name], **attributes)[0]

    def node_of_many(self, kind: str, inputs: list[str], names: list[str], **attributes: Any) -> list[str]:
        return self.node_into(kind, inputs, [self.name(n) for n in names], **attributes)

    def node_into(self, kind: str, inputs: list[str], outputs: list[str], **attributes: Any) -> list[str]:
        """With outputs that have their names already."""
        from onnx import helper

        self.nodes.append(helper.make_node(kind, inputs, outputs, f"{outputs[0]}.{kind}", **attributes))
        return outputs

    def replace(self, node: "NodeProto", graph: "GraphProto") -> None:
        """Puts the nodes where `node` was in `graph`, and the constants among its initializers."""
        where = list(graph.node).index(node)
        graph.node.remove(node)
        for k, part in enumerate(self.nodes):
            graph.node.insert(where + k, part)
        graph.initializer.extend(self.tensors.values())

    def graph(self, inputs: list[tuple[str, list[int | None]]], outputs: list[str]) -> "GraphProto":
        """All of it as the body of another node; `inputs` are floats with their shapes, outputs get theirs inferred."""
        from onnx import TensorProto, helper

        kind = TensorProto.FLOAT
        return helper.make_graph(
            self.nodes,
            self.prefix,
            [helper.make_tensor_value_info(name, kind, shape) for name, shape in inputs],
            [helper.make_tensor_value_info(name, kind, None) for name in outputs],
            list(self.tensors.values()),
        )
