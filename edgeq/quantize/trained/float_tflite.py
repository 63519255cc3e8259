"""The float graph that a quantized .tflite file stands for: constants become the values that they stand for, activations are not rounded.

Operators keep their names and what is fused into them.
"""

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from edgeq.graphs.tflite import is_float_or_quantized, kind_of

if TYPE_CHECKING:
    from ai_edge_litert.schema_py_generated import ModelT, SubGraphT, TensorT

# Of the schema's TensorType.
_FLOAT32, _INT4 = 0, 17
_TYPES: dict[int, Any] = {2: np.int32, 3: np.uint8, 4: np.int64, 7: np.int16, 9: np.int8, _INT4: np.uint8}


def float_tflite(model: "ModelT") -> "ModelT":
    """`model`, changed in place. Its signatures go: an output may be another tensor than it was."""
    for graph in model.subgraphs:
        _without_quantizers(model, graph)
        for tensor in graph.tensors:
            if tensor.type in _TYPES and is_float_or_quantized(tensor):
                _make_float(model, tensor)
    model.signatureDefs = None
    return model


def _without_quantizers(model: "ModelT", graph: "SubGraphT") -> None:
    """Whoever reads what a QUANTIZE or DEQUANTIZE makes reads what that read. Half precision stays as it is."""
    same: dict[int, int] = {}
    kept = []
    for operator in graph.operators:
        operator.inputs = np.array([same.get(int(t), int(t)) for t in operator.inputs], np.int32)
        moves = kind_of(model, operator) in ("QUANTIZE", "DEQUANTIZE")
        if moves and is_float_or_quantized(graph.tensors[operator.inputs[0]]):
            same[int(operator.outputs[0])] = int(operator.inputs[0])
        else:
            kept.append(operator)
    graph.operators = kept
    graph.outputs = np.array([same.get(int(t), int(t)) for t in graph.outputs], np.int32)


def _make_float(model: "ModelT", tensor: "TensorT") -> None:
    stored = model.buffers[tensor.buffer].data
    if stored is not None and len(stored):
        buffer = type(model.buffers[0])()  # the old one may be another tensor's too
        buffer.data = np.frombuffer(_dequantized(tensor, bytes(stored)).tobytes(), np.uint8)
        tensor.buffer = len(model.buffers)
        model.buffers.append(buffer)
    tensor.type, tensor.quantization = _FLOAT32, None


def _dequantized(tensor: "TensorT", stored: bytes) -> npt.NDArray[np.float32]:
    shape = tuple(int(d) for d in tensor.shape) if tensor.shape is not None else ()
    integers = np.frombuffer(stored, _TYPES[tensor.type])
    if tensor.type == _INT4:
        integers = _of_pairs(integers)[: math.prod(shape)]
    q = tensor.quantization
    scale = np.asarray(q.scale, np.float64)
    zero = np.zeros(1) if q.zeroPoint is None else np.asarray(q.zeroPoint, np.float64)
    if scale.size > 1:
        along = [-1 if k == q.quantizedDimension else 1 for k in range(len(shape))]
        scale, zero = scale.reshape(along), zero.reshape(along) if zero.size > 1 else zero
    return np.asarray((integers.reshape(shape) - zero) * scale, np.float32)


def _of_pairs(pairs: npt.NDArray[np.uint8]) -> npt.NDArray[np.int8]:
    """Two numbers of 4 bits to a byte, in two's complement, the first in the low half."""
    halves = np.stack([pairs & 15, pairs >> 4], -1).reshape(-1).astype(np.int8)
    return np.asarray((halves ^ 8) - 8, np.int8)
