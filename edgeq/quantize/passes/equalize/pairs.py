"""Finds pairs of layers for cross-layer equalization: only positively homogeneous operators lie between them, and nothing
else reads the tensors there. Changes nothing.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgeq.graphs.onnx_index import OnnxIndex, index_of
from edgeq.graphs.op_sets import HOMOGENEOUS

if TYPE_CHECKING:
    import onnx

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
    """Of the main graph, in its order; `model` has inferred shapes."""
    index = index_of(model.graph)
    found = (_pair(node, index) for node in index.nodes if _can_be_divided(node, index))
    return tuple(pair for pair in found if pair is not None)


def is_transposed(gemm: "onnx.NodeProto") -> bool:
    """Whether the rows of its weights are its outputs."""
    return bool(_attribute(gemm, "transB", 0))


def _attribute(node: "onnx.NodeProto", name: str, default: int) -> int:
    return next((int(a.i) for a in node.attribute if a.name == name), default)


def _can_be_divided(node: "onnx.NodeProto", index: OnnxIndex) -> bool:
    if node.op_type not in ("Conv", "Gemm") or not all(
        _is_own(name, index) for name in node.input[1:] if name
    ):
        return False
    bias = index.constant(node.input[2]) if len(node.input) > 2 else None
    return bias is None or list(bias.dims) == [_outputs(node, index)]


def _pair(first: "onnx.NodeProto", index: OnnxIndex) -> Pair | None:
    """None where another operator reads the channels, or one is not homogeneous."""
    channels, tensor = _outputs(first, index), first.output[0]
    while (node := index.only_consumer(tensor)) is not None:
        if _multiplies(node, tensor, channels, index):
            return Pair(first, node, tensor, channels)
        if node.op_type == "Flatten":
            return _behind_flatten(first, tensor, node, index)
        if node.input[0] != tensor or not _is_homogeneous(node, index):
            return None
        tensor = node.output[0]
    return None


def _behind_flatten(
    first: "onnx.NodeProto", tensor: str, flatten: "onnx.NodeProto", index: OnnxIndex
) -> Pair | None:
    flat, channels = flatten.output[0], _outputs(first, index)
    columns = (index.shapes.get(flat, (None,))[-1] or 0) // channels
    second = index.only_consumer(flat)
    if _attribute(flatten, "axis", 1) != 1 or second is None or not columns:
        return None
    if not _multiplies(second, flat, channels * columns, index):
        return None
    return Pair(first, second, tensor, channels, columns)


def _multiplies(node: "onnx.NodeProto", tensor: str, inputs: int, index: OnnxIndex) -> bool:
    """Whether it multiplies the tensor's channels by constants that it alone reads."""
    if node.op_type not in _READS or node.input[0] != tensor or not _is_own(node.input[1], index):
        return False
    dims = index.constants[node.input[1]].dims
    if node.op_type == "Conv":
        return bool(dims[1] * _attribute(node, "group", 1) == inputs)
    matrices = len(dims) == len(index.shapes.get(tensor, ())) == 2
    return matrices and not _attribute(node, "transA", 0) and bool(dims[is_transposed(node)] == inputs)


def _is_homogeneous(node: "onnx.NodeProto", index: OnnxIndex) -> bool:
    from onnx import numpy_helper

    if node.op_type != "Clip":
        return node.op_type in HOMOGENEOUS
    low = index.constant(node.input[1]) if len(node.input) == 2 else None  # without an upper bound
    return low is not None and not numpy_helper.to_array(low).any()


def _is_own(name: str, index: OnnxIndex) -> bool:
    """Whether it is a float constant that is read once."""
    from onnx import TensorProto

    tensor = index.constant(name)
    return (
        tensor is not None and tensor.data_type == TensorProto.FLOAT and index.only_consumer(name) is not None
    )


def _outputs(node: "onnx.NodeProto", index: OnnxIndex) -> int:
    dims = index.constants[node.input[1]].dims
    return int(dims[1] if node.op_type == "Gemm" and not is_transposed(node) else dims[0])
