"""Nodes that quantize activations as they come, rewritten to take them as they are: what is left of the error is that of
the weights.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from edgeq.graphs.onnx_edit import copied, set_nodes
from edgeq.graphs.onnx_index import bodies, has_body
from edgeq.quantize.numerics import real_values

if TYPE_CHECKING:
    from onnx import NodeProto, TensorProto

Array = npt.NDArray[Any]

_IN_FLOAT = 1  # accuracy_level of MatMulNBits: unpacks the weights, multiplies floats


class ExactActivations:
    """`constants` are the TensorProtos that nodes read by name; `tensors` those that the rewritten nodes read besides."""

    def __init__(self, constants: "Mapping[str, TensorProto]") -> None:
        self._constants = constants
        self.tensors: list[TensorProto] = []

    def nodes(self, nodes: "Sequence[NodeProto]") -> "list[NodeProto] | None":
        """None where none of them rounds activations, or one does in a way that is not known here."""
        written = self._all(nodes)
        return written if self.tensors or written != list(nodes) else None

    def _all(self, nodes: "Sequence[NodeProto]") -> "list[NodeProto]":
        return [written for node in nodes for written in self._one(node)]

    def _one(self, node: "NodeProto") -> "list[NodeProto]":
        from onnx import helper

        if node.op_type == "DynamicQuantizeLinear":
            values, scale, zero = node.output
            self._put(scale, np.array(1.0, np.float32))
            self._put(zero, np.array(0.0, np.float32))
            return [helper.make_node("Identity", list(node.input), [values])]
        if node.op_type == "MatMulInteger":
            weights = self._put(f"{node.output[0]}.exact", self._product_weights(node))
            return [helper.make_node("MatMul", [node.input[0], weights], list(node.output))]
        if node.op_type == "DynamicQuantizeLSTM":
            return [self._lstm(node)]
        if node.op_type == "MatMulNBits":
            return [_changed(node, accuracy_level=_IN_FLOAT)]
        return [self._with_graphs(node)]

    def _product_weights(self, node: "NodeProto") -> Array:
        """In steps of their scale, which the file multiplies by behind the product."""
        zero = self._array(node.input[3]) if len(node.input) > 3 and node.input[3] else 0
        return real_values(self._array(node.input[1]), 1.0, zero)

    def _lstm(self, node: "NodeProto") -> "NodeProto":
        """https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.DynamicQuantizeLSTM:
        weights are [directions, inputs, 4 units], those of LSTM [directions, 4 units, inputs].
        """
        from onnx import helper

        weights = [
            self._put(f"{node.output[0] or node.name}.exact.{k}", self._lstm_weights(node, k)) for k in (1, 2)
        ]
        inputs = [node.input[0], *weights, *node.input[3:8]]
        while not inputs[-1]:
            inputs.pop()
        facts = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        return helper.make_node("LSTM", inputs, list(node.output), **facts)

    def _lstm_weights(self, node: "NodeProto", k: int) -> Array:
        scale, zero = (self._array(node.input[at]) for at in (6 + 2 * k, 7 + 2 * k))
        scale, zero = (a.reshape(len(a), 1, -1) for a in (scale, zero))
        real = real_values(self._array(node.input[k]), scale, zero)
        return np.ascontiguousarray(real.transpose(0, 2, 1))

    def _with_graphs(self, node: "NodeProto") -> "NodeProto":
        """The graphs inside of it rewritten too."""
        if not has_body(node):
            return node
        copy = copied(node)
        for body in bodies(copy):
            set_nodes(body, self._all(list(body.node)))
        return copy

    def _array(self, name: str) -> Array:
        from onnx import numpy_helper

        return np.asarray(numpy_helper.to_array(self._constants[name]))

    def _put(self, name: str, values: Array) -> str:
        from onnx import numpy_helper

        self.tensors.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name


def _changed(node: "NodeProto", **facts: int) -> "NodeProto":
    import onnx

    copy = copied(node)
    kept = [a for a in copy.attribute if a.name not in facts]
    del copy.attribute[:]
    copy.attribute.extend([*kept, *(onnx.helper.make_attribute(k, v) for k, v in facts.items())])
    return copy
