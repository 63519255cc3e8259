"""Finds pairs of layers for cross-layer equalization: only positively homogeneous operators lie between them, and nothing
else reads the tensors there. Changes nothing.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgeq.quantize.scopes import Scope, scopes

if TYPE_CHECKING:
    import onnx

# f(s x) = s f(x) for every s > 0, each channel by itself. A Clip with an upper bound is none: with the bound raised until it
# clipped no calibration sample, MobileNetV2's ReLU6 clipped others, and float itself fell to 46 dB, int8 from 16.5 to 15.7.
_HOMOGENEOUS = (
    "AveragePool",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "Identity",
    "LeakyRelu",
    "MaxPool",
    "PRelu",
    "Relu",
)
_READS = ("Conv", "Gemm", "MatMul")


@dataclass(frozen=True, eq=False)
class Pair:
    """`first` makes channels (axis 1), `second` multiplies them by constants. `tensor` is the last one between them with
    an axis of channels; a Flatten behind it makes `columns` columns of each.
    """

    first: "onnx.NodeProto"
    second: "onnx.NodeProto"
    tensor: str
    channels: int
    columns: int = 1


def pairs_of(model: "onnx.ModelProto") -> tuple[Pair, ...]:
    """Of the main graph of a ModelProto with inferred shapes, in its order."""
    graph = _Graph(model)
    found = (graph.pair(node) for node in model.graph.node if graph.can_be_divided(node))
    return tuple(pair for pair in found if pair is not None)


def is_transposed(gemm: "onnx.NodeProto") -> bool:
    """Whether the rows of its weights are its outputs."""
    return bool(_attribute(gemm, "transB", 0))


def _attribute(node: "onnx.NodeProto", name: str, default: int) -> int:
    return next((int(a.i) for a in node.attribute if a.name == name), default)


class _Graph:
    """Who reads what, and which constants are one layer's own."""

    def __init__(self, model: "onnx.ModelProto") -> None:
        every = list(scopes(model.graph))
        self.scope: Scope = every[0]
        self.readers: Mapping[str, onnx.NodeProto] = {name: n for n in model.graph.node for name in n.input}
        self.uses = Counter(name for s in every for node in s.graph.node for name in node.input if name)
        self.uses.update(o.name for s in every for o in s.graph.output)

    def can_be_divided(self, node: "onnx.NodeProto") -> bool:
        if node.op_type not in ("Conv", "Gemm") or not all(
            self._own(name) for name in node.input[1:] if name
        ):
            return False
        bias = self.scope.constants.get(node.input[2]) if len(node.input) > 2 else None
        return bias is None or list(bias.dims) == [self._outputs(node)]

    def pair(self, first: "onnx.NodeProto") -> Pair | None:
        """None where another operator reads the channels, or one is not homogeneous."""
        channels, tensor = self._outputs(first), first.output[0]
        while self.uses[tensor] == 1 and tensor in self.readers:
            node = self.readers[tensor]
            if self._multiplies(node, tensor, channels):
                return Pair(first, node, tensor, channels)
            if node.op_type == "Flatten":
                return self._behind_flatten(first, tensor, node)
            if node.input[0] != tensor or not self._is_homogeneous(node):
                return None
            tensor = node.output[0]
        return None

    def _behind_flatten(self, first: "onnx.NodeProto", tensor: str, flatten: "onnx.NodeProto") -> Pair | None:
        flat, channels = flatten.output[0], self._outputs(first)
        columns = (self.scope.shapes.get(flat, (None,))[-1] or 0) // channels
        if _attribute(flatten, "axis", 1) != 1 or self.uses[flat] != 1 or flat not in self.readers:
            return None
        second = self.readers[flat]
        if not columns or not self._multiplies(second, flat, channels * columns):
            return None
        return Pair(first, second, tensor, channels, columns)

    def _multiplies(self, node: "onnx.NodeProto", tensor: str, inputs: int) -> bool:
        """Whether it takes the tensor's channels times constants of its own."""
        if node.op_type not in _READS or node.input[0] != tensor or not self._own(node.input[1]):
            return False
        dims = self.scope.constants[node.input[1]].dims
        if node.op_type == "Conv":
            return bool(dims[1] * _attribute(node, "group", 1) == inputs)
        matrices = len(dims) == len(self.scope.shapes.get(tensor, ())) == 2
        return matrices and not _attribute(node, "transA", 0) and bool(dims[is_transposed(node)] == inputs)

    def _is_homogeneous(self, node: "onnx.NodeProto") -> bool:
        if node.op_type != "Clip":
            return node.op_type in _HOMOGENEOUS
        low = self.scope.constants.get(node.input[1]) if len(node.input) == 2 else None
        return low is not None and _is_zero(low)

    def _own(self, name: str) -> bool:
        """Whether it is a constant of floats that is read once."""
        from onnx import TensorProto

        tensor = self.scope.constants.get(name)
        return tensor is not None and tensor.data_type == TensorProto.FLOAT and self.uses[name] == 1

    def _outputs(self, node: "onnx.NodeProto") -> int:
        dims = self.scope.constants[node.input[1]].dims
        return int(dims[1] if node.op_type == "Gemm" and not is_transposed(node) else dims[0])


def _is_zero(tensor: "onnx.TensorProto") -> bool:
    from onnx import numpy_helper

    return not numpy_helper.to_array(tensor).any()
