"""Applies factors in a copy of the graph: divides the output channels of a pair's first layer, and multiplies the second's
weights. The graph's outputs stay the same, to within float32.

The factors are stored in the file's metadata: whoever compares its inner tensors with float's needs them.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from edgeq.graphs.onnx_edit import copied
from edgeq.graphs.onnx_index import index_of
from edgeq.graphs.onnx_io import read_onnx
from edgeq.quantize.passes.equalize.pairs import Pair, is_transposed, pairs_of

if TYPE_CHECKING:
    import onnx

Floats = npt.NDArray[np.float32]
Eighths = Mapping[str, npt.NDArray[np.int64]]  # by first node: a factor of a channel is 2^(-n / 8)

_KEY = "edgeq.equalized"  # of the model's metadata


def scaled(model: "onnx.ModelProto", eighths: Eighths) -> "onnx.ModelProto":
    """`model` is a ModelProto with inferred shapes, and so is the copy."""
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
    """`model` with the factors that the file `quantized`, which was made from it, has stored."""
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
