"""The float graph that a QDQ file stands for: stored integers become the values that they stand for, activations are not rounded.

Names stay: a tensor that was quantized has in the float graph the name that QuantizeLinear read.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from edgeq.graphs.onnx_edit import copied, drop_unread, set_nodes
from edgeq.graphs.onnx_index import OnnxIndex, attributes, index_of
from edgeq.graphs.op_sets import HEAVY, MOVES_VALUES
from edgeq.graphs.stays_float import keeps_in_float
from edgeq.graphs.weightless import infer_shapes

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

Array = npt.NDArray[Any]

_POSITIVE = ("Abs", "Exp", "HardSigmoid", "Relu", "Sigmoid", "Softmax", "Sqrt")
_OF_ALL = ("Add", "Concat", "Max", "Mul")
_KEEPS_SIGN = (
    *MOVES_VALUES,
    "AveragePool",
    "GlobalAveragePool",
    "MaxPool",
    "ReduceMean",
    "Slice",
)  # of their first input


def float_graph(model: "ModelProto") -> "ModelProto":
    """A copy of a QDQ file without Q and DQ. A Relu that the writer left to the lowest integer of the range is there again."""
    made = copied(model)
    index = index_of(made.graph)
    folded = _Folded(index)
    nodes = [kept for node in _sorted(index) for kept in folded.node(node)]
    _name_outputs(made, nodes, folded)
    set_nodes(made.graph, nodes)
    made.graph.initializer.extend(folded.stored)
    del made.graph.value_info[:]
    drop_unread(made.graph)
    infer_shapes(made)
    return made


def dequantized(index: OnnxIndex, node: "NodeProto") -> Array:
    """What a DequantizeLinear makes of a constant, float32."""
    integers, scale = (array_of(index, name) for name in node.input[:2])
    zero = array_of(index, node.input[2]) if len(node.input) > 2 and node.input[2] else np.zeros((), np.int8)
    axis = axis_of(node)
    shape = [-1 if k == axis % integers.ndim else 1 for k in range(integers.ndim)] if scale.size > 1 else []
    steps = integers.astype(np.float64) - zero.astype(np.float64).reshape(shape if zero.size > 1 else [])
    return np.asarray(steps * scale.astype(np.float64).reshape(shape), np.float32)


def axis_of(node: "NodeProto") -> int:
    """Of the scales per channel."""
    return next((int(a.i) for a in node.attribute if a.name == "axis"), 1)


def array_of(index: OnnxIndex, name: str) -> Array:
    from onnx import numpy_helper

    return np.asarray(numpy_helper.to_array(index.constants[name]))


class _Folded:
    """What becomes of each node, in running order. `names`: by tensor of the file the one of the float graph."""

    def __init__(self, index: OnnxIndex) -> None:
        self._index = index
        self.names: dict[str, str] = {}
        self._positive = {i.name for i in index.graph.input if self._starts_at_zero(i.name)}
        """Tensors of the float graph without values below zero."""
        self.stored: list[Any] = []

    def node(self, node: "NodeProto") -> "list[NodeProto]":
        from onnx import numpy_helper

        if node.op_type == "DequantizeLinear" and node.input[0] in self._index.constants:
            self.stored.append(numpy_helper.from_array(dequantized(self._index, node), node.output[0]))
            return []
        gone = node.op_type in ("DequantizeLinear", "QuantizeLinear") or keeps_in_float(node)
        if gone or self._clips_integers(node):
            self.names[node.output[0]] = self._name(node.input[0])
            return []
        if node.op_type == "HardSigmoid" and self._would_be_folded(node):
            return self._of_negative(node)
        inputs = [self._name(name) for name in node.input]
        inputs = self._with_float_padding(node, inputs)
        del node.input[:]
        node.input.extend(inputs)
        return self._with_relu(node)

    def _name(self, tensor: str) -> str:
        return self.names.get(tensor, tensor)

    def _clips_integers(self, node: "NodeProto") -> bool:
        maker = self._index.producer(node.input[0]) if node.op_type == "Clip" else None
        return maker is not None and maker.op_type == "QuantizeLinear"

    def _with_float_padding(self, node: "NodeProto", inputs: list[str]) -> list[str]:
        """A Pad on integers pads with one."""
        from onnx import numpy_helper

        if node.op_type != "Pad" or len(inputs) < 3 or inputs[2] not in self._index.constants:
            return inputs
        value = array_of(self._index, inputs[2])
        quantizer = self._quantizer(node.input[0])
        if value.dtype == np.float32 or quantizer is None:
            return inputs
        scale, zero = (array_of(self._index, name) for name in quantizer.input[1:3])
        floats = np.asarray((value.astype(np.float32) - zero.astype(np.float32)) * scale, np.float32)
        self.stored.append(numpy_helper.from_array(floats, f"{node.output[0]}.padding"))
        return [*inputs[:2], f"{node.output[0]}.padding", *inputs[3:]]

    def _would_be_folded(self, node: "NodeProto") -> bool:
        """Whether it alone reads a quantized layer's output."""
        quantizer = self._quantizer(node.input[0])
        maker = None if quantizer is None else self._index.producer(quantizer.input[0])
        if quantizer is None or maker is None or maker.op_type not in HEAVY:
            return False
        reader = self._index.only_consumer(quantizer.output[0])
        return reader is not None and self._index.only_consumer(reader.output[0]) is node

    def _of_negative(self, node: "NodeProto") -> "list[NodeProto]":
        """max(0, min(1, a x + b)) as that of -x and -a. As it stands onnx2tf makes a and b part of the layer in front, whose weights and
        scale are then others than the trained ones.
        """
        from onnx import helper

        named, negative = attributes(node), f"{node.output[0]}.of_negative"
        slope, offset = float(named.get("alpha", 0.2)), float(named.get("beta", 0.5))
        self._positive.add(node.output[0])
        return [
            helper.make_node("Neg", [self._name(node.input[0])], [negative], negative),
            helper.make_node("HardSigmoid", [negative], [*node.output], node.name, alpha=-slope, beta=offset),
        ]

    def _quantizer(self, tensor: str) -> "NodeProto | None":
        """That made the integers, moved or not."""
        node = self._index.producer(tensor)
        while node is not None and node.op_type != "QuantizeLinear":
            node = self._index.producer(node.input[0]) if node.input else None
        return node

    def _with_relu(self, node: "NodeProto") -> "list[NodeProto]":
        """Where the range of all that read the output begins at zero and the output might not."""
        from onnx import helper

        if self._is_positive(node):
            self._positive.update(node.output)
            return [node]
        output = node.output[0] if len(node.output) == 1 else ""
        if not output or not node.input or not self._starts_at_zero(output):
            return [node]  # a constant is in its own range
        self._positive.add(output)
        node.output[0] = f"{output}.before_relu"
        return [node, helper.make_node("Relu", [node.output[0]], [output], f"{output}.relu")]

    def _starts_at_zero(self, tensor: str) -> bool:
        """Whether only quantizers read the tensor, whose ranges begin at zero."""
        readers = [use for use, _ in self._index.uses(tensor)]
        return bool(readers) and all(
            use.op_type == "QuantizeLinear" and _starts_at_zero(self._index, use) for use in readers
        )

    def _is_positive(self, node: "NodeProto") -> bool:
        """Whether its kind never gives values below zero, or gives none of inputs that have none."""
        if node.op_type in _OF_ALL:
            return all(name in self._positive for name in node.input)
        return node.op_type in _POSITIVE or (node.op_type in _KEEPS_SIGN and node.input[0] in self._positive)


def _starts_at_zero(index: OnnxIndex, quantizer: "NodeProto") -> bool:
    zero = array_of(index, quantizer.input[2]) if len(quantizer.input) > 2 else np.zeros((), np.uint8)
    return bool(np.all(zero == np.iinfo(zero.dtype).min))


def _name_outputs(model: "ModelProto", nodes: "list[NodeProto]", folded: _Folded) -> None:
    """Outputs of the graph that a DequantizeLinear made keep their names."""
    from onnx import helper

    made = {name for node in nodes for name in node.output}
    for output in model.graph.output:
        inner = folded.names.get(output.name)
        if inner is None or output.name in made:
            continue
        nodes.append(helper.make_node("Identity", [inner], [output.name], f"{output.name}.identity"))


def _sorted(index: OnnxIndex) -> "list[NodeProto]":
    """In running order, which the writer of QDQ files does not keep."""
    done = set[str]()
    order: list[NodeProto] = []
    waiting = list(index.nodes)
    made = {name for node in waiting for name in node.output}
    while waiting:
        ready = [n for n in waiting if all(name in done or name not in made for name in n.input)]
        if not ready:
            return [*order, *waiting]  # reads what no node makes: onnx says so when it is loaded
        order += ready
        done.update(name for node in ready for name in node.output)
        ids = {id(node) for node in ready}
        waiting = [n for n in waiting if id(n) not in ids]
    return order
