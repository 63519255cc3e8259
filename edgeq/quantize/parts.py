"""Nodes and constants that replace a node, their names all prefixed by a name that the model has already."""

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import onnx


class Parts:
    """Collects them in order. Each call adds one and returns the name, `prefix` before it."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.nodes: list[onnx.NodeProto] = []
        self.tensors: dict[str, onnx.TensorProto] = {}

    def under(self, name: str) -> "Parts":
        """The same collection under a longer prefix."""
        longer = Parts(self.name(name))
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

    def replace(self, node: "onnx.NodeProto", graph: "onnx.GraphProto") -> None:
        """Puts the nodes where `node` was in `graph`, and the constants among its initializers."""
        where = list(graph.node).index(node)
        graph.node.remove(node)
        for k, part in enumerate(self.nodes):
            graph.node.insert(where + k, part)
        graph.initializer.extend(self.tensors.values())

    def graph(self, inputs: list[tuple[str, list[int | None]]], outputs: list[str]) -> "onnx.GraphProto":
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
