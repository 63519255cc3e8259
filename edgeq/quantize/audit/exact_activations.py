"""Nodes that quantize activations as they come, rewritten to take them as they are: what is left of the error is that of
the weights.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.quantize.numerics import real_values

Array = npt.NDArray[Any]

_ROUND = ("DynamicQuantizeLinear", "DynamicQuantizeLSTM", "MatMulInteger", "MatMulNBits")
_IN_FLOAT = 1  # accuracy_level of MatMulNBits: unpacks the weights, multiplies floats


class ExactActivations:
    """`constants` are the TensorProtos that nodes read by name; `tensors` those that the rewritten nodes read besides."""

    def __init__(self, constants: Mapping[str, Any]) -> None:
        self._constants = constants
        self.tensors: list[Any] = []

    def nodes(self, nodes: Sequence[Any]) -> list[Any] | None:
        """None where none of them rounds activations, or one does in a way that is not known here."""
        written = self._all(nodes)
        return written if self.tensors or written != list(nodes) else None

    def _all(self, nodes: Sequence[Any]) -> list[Any]:
        return [written for node in nodes for written in self._one(node)]

    def _one(self, node: Any) -> list[Any]:
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

    def _product_weights(self, node: Any) -> Array:
        """In steps of their scale, which the file multiplies by behind the product."""
        zero = self._array(node.input[3]) if len(node.input) > 3 and node.input[3] else 0
        return real_values(self._array(node.input[1]), 1.0, zero)

    def _lstm(self, node: Any) -> Any:
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

    def _lstm_weights(self, node: Any, k: int) -> Array:
        scale, zero = (self._array(node.input[at]) for at in (6 + 2 * k, 7 + 2 * k))
        scale, zero = (a.reshape(len(a), 1, -1) for a in (scale, zero))
        real = real_values(self._array(node.input[k]), scale, zero)
        return np.ascontiguousarray(real.transpose(0, 2, 1))

    def _with_graphs(self, node: Any) -> Any:
        """The graphs inside of it rewritten too."""
        import onnx

        if not any(a.HasField("g") for a in node.attribute):
            return node
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        for attribute in (a for a in copy.attribute if a.HasField("g")):
            written = self._all(list(attribute.g.node))
            del attribute.g.node[:]
            attribute.g.node.extend(written)
        return copy

    def _array(self, name: str) -> Array:
        from onnx import numpy_helper

        return np.asarray(numpy_helper.to_array(self._constants[name]))

    def _put(self, name: str, values: Array) -> str:
        from onnx import numpy_helper

        self.tensors.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name


def _changed(node: Any, **facts: int) -> Any:
    import onnx

    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    kept = [a for a in copy.attribute if a.name not in facts]
    del copy.attribute[:]
    copy.attribute.extend([*kept, *(onnx.helper.make_attribute(k, v) for k, v in facts.items())])
    return copy
