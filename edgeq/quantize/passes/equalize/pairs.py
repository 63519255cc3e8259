"""Pairs of layers for cross-layer equalization, and factors applied to them in a copy of the graph: the output channels of
the first layer are divided, the weights of the second multiplied, and the graph's outputs stay the same to within float32.

Only positively homogeneous operators lie between the two layers, and nothing else reads the tensors there. A file stores its
factors in the metadata: whoever compares its inner tensors with float's needs them.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from edgeq.graphs.onnx_edit import copied
from edgeq.graphs.onnx_index import OnnxIndex, index_of
from edgeq.graphs.onnx_io import read_onnx
from edgeq.graphs.op_sets import HOMOGENEOUS

if TYPE_CHECKING:
    import onnx

Floats = npt.NDArray[np.float32]
Eighths = Mapping[str, npt.NDArray[np.int64]]  # by first node: n of each channel, whose factor is 2^(-n / 8)

_KEY = "edgeq.equalized"  # of the model's metadata
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


def scaled(model: "onnx.ModelProto", eighths: Eighths) -> "onnx.ModelProto":
    """A copy; both have inferred shapes."""
    import onnx

    copy = copied(model)
    constants = index_of(copy.graph).constants
    for pair in pairs_of(copy):
        if pair.first.name in eighths:
            factors = factors_of(eighths[pair.first.name])
            _divide(pair.first, constants, factors)
            weights = constants[pair.second.input[1]]
            _put(weights, _multiplied(pair, array(weights), factors))
    stored = {name: [int(n) for n in each] for name, each in eighths.items()}
    onnx.helper.set_model_props(copy, {_KEY: json.dumps(stored, separators=(",", ":"))})
    return copy


def as_in(model: "onnx.ModelProto", quantized: Path) -> "onnx.ModelProto":
    """`model` with the factors that the file `quantized`, which was made from it, has stored; itself where it has them already, as the
    float graph of a trained file.
    """
    if any(fact.key == _KEY for fact in model.metadata_props):
        return model
    facts = read_onnx(quantized, weights=False).metadata_props
    stored = next((fact.value for fact in facts if fact.key == _KEY), None)
    if stored is None:
        return model
    return scaled(model, {name: np.asarray(each, np.int64) for name, each in json.loads(stored).items()})


def factors_of(eighths: npt.NDArray[np.int64]) -> Floats:
    return np.asarray(np.exp2(-eighths / 8.0), np.float32)


def by_channel(pair: Pair, weights: Floats) -> Floats:
    """The second layer's weights as [groups, outputs of a group, channels of a group, values of a channel]."""
    if pair.second.op_type == "Conv":
        groups = pair.channels // weights.shape[1]
        return weights.reshape(groups, weights.shape[0] // groups, weights.shape[1], -1)
    rows = weights if is_transposed(pair.second) else weights.T
    return rows.reshape(1, len(rows), pair.channels, pair.columns)


def along_channels(parts: npt.NDArray[Any], values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """`values` [channels], shaped to multiply `parts`, which come from `by_channel`."""
    return values.reshape(parts.shape[0], 1, parts.shape[2], 1)


def array(tensor: "onnx.TensorProto") -> Floats:
    from onnx import numpy_helper

    return np.asarray(numpy_helper.to_array(tensor))


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


def _multiplied(pair: Pair, weights: Floats, factors: Floats) -> Floats:
    parts = by_channel(pair, weights)
    scaled = np.asarray(parts * along_channels(parts, factors), np.float32)
    if pair.second.op_type == "Conv" or is_transposed(pair.second):
        return scaled.reshape(weights.shape)
    return scaled.reshape(weights.T.shape).T


def _divide(first: "onnx.NodeProto", constants: "Mapping[str, onnx.TensorProto]", factors: Floats) -> None:
    weights = array(constants[first.input[1]])
    columns = first.op_type == "Gemm" and not is_transposed(first)
    each = factors if columns else factors.reshape(-1, *[1] * (weights.ndim - 1))
    _put(constants[first.input[1]], weights / each)
    if len(first.input) > 2 and first.input[2]:
        _put(constants[first.input[2]], array(constants[first.input[2]]) / factors)


def _put(tensor: "onnx.TensorProto", values: Floats) -> None:
    from onnx import numpy_helper

    values = np.ascontiguousarray(values, np.float32)
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
