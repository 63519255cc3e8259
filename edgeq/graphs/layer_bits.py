"""In how many bits a file has the weights and the activations of each layer.

Reads types and stored values, runs nothing: which kernels a runtime selects is not in the file.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgeq.graphs.onnx_index import OnnxIndex, attributes, index_of
from edgeq.graphs.onnx_io import read_onnx
from edgeq.graphs.op_sets import DYNAMIC_KERNELS, FUSED_FLOAT_KERNELS, HEAVY, INTEGER_KERNELS
from edgeq.graphs.tflite import Operator, TfliteGraph, read_model, read_tflite
from edgeq.nouns.model_summary import LayerBits

if TYPE_CHECKING:
    from ai_edge_litert.schema_py_generated import ModelT
    from onnx import NodeProto, TensorProto

FEW_LEVELS = (
    64  # as many distinct values at most, in a tensor of four times as many, are a grid of fewer bits
)
_SMALLEST_TABLE = (
    4096  # values of a table that is looked up; smaller ones are indices and constants, no layer
)

# Positions of data and weights where they are not 0 and 1.
_QLINEAR = ("QLinearConv", "QLinearMatMul", "QGemm")
_RECURRENT = ("LSTM", "GRU", "RNN", "DynamicQuantizeLSTM")
_TFLITE = {
    "CONV_2D": (0, (1,)),
    "DEPTHWISE_CONV_2D": (0, (1,)),
    "CONV_3D": (0, (1,)),
    "TRANSPOSE_CONV": (2, (1,)),
    "FULLY_CONNECTED": (0, (1,)),
    "BATCH_MATMUL": (0, (1,)),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": (0, tuple(range(1, 9))),
}
_STILL_THE_WEIGHT = ("DequantizeLinear", "Cast", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze")


def layer_bits(path: Path) -> tuple[LayerBits, ...]:
    """Of an .onnx or .tflite file, the operators with weights in their order. Raises ConversionFailed for a file that is none,
    ExtraMissing without LiteRT.
    """
    return tuple(_tflite_layers(path) if path.suffix == ".tflite" else _onnx_layers(path))


def _onnx_layers(path: Path) -> Iterator[LayerBits]:
    for scope in index_of(read_onnx(path).graph).scopes():
        for node in scope.nodes:
            layer = _onnx_layer(node, scope)
            if layer is not None:
                yield layer


def _onnx_layer(node: "NodeProto", scope: OnnxIndex) -> LayerBits | None:
    """None for an operator without weights of its own."""
    kind = INTEGER_KERNELS.get(node.op_type) or FUSED_FLOAT_KERNELS.get(node.op_type, node.op_type)
    name = node.name or node.output[0]
    if node.op_type == "MatMulNBits":
        return _in_blocks(node, name)
    if node.op_type == "Gather":
        table = _stored(node.input[0], scope)
        return None if table is None or _size(table) < _SMALLEST_TABLE else _looked_up(table, name)
    if kind not in HEAVY:
        return None
    data, weights = _operands(node, scope)
    if not weights:
        return None
    activations, bits = _activations(node, data, weights[0], scope)
    return LayerBits(
        layer=name,
        operator=kind,
        parameters=sum(map(_size, weights)),
        weights=_type(weights[0]),
        weight_bits=max(map(_bits_of_stored, weights)),
        activations=activations,
        activation_bits=bits,
        dynamic=node.op_type in DYNAMIC_KERNELS,
    )


def _in_blocks(node: "NodeProto", name: str) -> LayerBits:
    """onnxruntime quantizes the activations of MatMulNBits too where `accuracy_level` is 4."""
    facts = attributes(node)
    dynamic = facts.get("accuracy_level", 0) == 4
    return LayerBits(
        layer=name,
        operator="MatMul",
        parameters=facts["K"] * facts["N"],
        weights=f"int{facts['bits']}",
        weight_bits=facts["bits"],
        activations="int8" if dynamic else "float32",
        activation_bits=8 if dynamic else 32,
        dynamic=dynamic,
    )


def _looked_up(table: "TensorProto", name: str) -> LayerBits:
    return LayerBits(name, "Gather", _size(table), _type(table), _bits_of_stored(table), "", 0)


def _operands(node: "NodeProto", scope: OnnxIndex) -> "tuple[str, list[TensorProto]]":
    """The name of the data, and the constants it is multiplied by; none where both are activations."""
    places = (3,) if node.op_type in _QLINEAR else (1, 2) if node.op_type in _RECURRENT else (1,)
    found = [_stored(node.input[k], scope) for k in places if k < len(node.input)]
    weights = [tensor for tensor in found if tensor is not None]
    if weights or node.op_type not in ("MatMul", "Gemm"):
        return node.input[0], weights
    left = _stored(node.input[0], scope)  # W x in place of x W
    return node.input[1], [] if left is None else [left]


def _stored(name: str, scope: OnnxIndex) -> "TensorProto | None":
    """The constant that `name` is, or is made of without computing."""
    while name and scope.constant(name) is None:
        maker = scope.producer(name)
        if maker is None or maker.op_type not in _STILL_THE_WEIGHT:
            return None
        name = maker.input[0]
    return scope.constant(name)


def _activations(node: "NodeProto", data: str, weight: "TensorProto", scope: OnnxIndex) -> tuple[str, int]:
    """The type of the data that the layer multiplies, and the bits of it that are used."""
    if node.op_type in DYNAMIC_KERNELS:
        return "uint8", 8
    if node.op_type in _QLINEAR:
        return _of_zero_point(node.input[2], scope)
    maker = scope.producer(data)
    if maker is None or maker.op_type != "DequantizeLinear":
        kind = _type(weight)
        return (kind, _bits(kind)) if kind.startswith(("float", "bfloat")) else ("float32", 32)
    kind, bits = _of_zero_point(maker.input[2] if len(maker.input) > 2 else "", scope)
    return kind, _clipped(maker.input[0], bits, scope)


def _of_zero_point(name: str, scope: OnnxIndex) -> tuple[str, int]:
    zero_point = scope.constant(name)
    kind = "uint8" if zero_point is None else _type(zero_point)
    return kind, _bits(kind)


def _clipped(quantized: str, bits: int, scope: OnnxIndex) -> int:
    """Fewer where a Clip between QuantizeLinear and DequantizeLinear leaves fewer levels."""
    from onnx import numpy_helper

    clip = scope.producer(quantized)
    if clip is None or clip.op_type != "Clip" or len(clip.input) < 3:
        return bits
    ends = [scope.constant(name) for name in clip.input[1:3]]
    if ends[0] is None or ends[1] is None:
        return bits
    low, high = (int(numpy_helper.to_array(end)) for end in ends)
    return min(bits, _needed(high - low + 1))


def _bits_of_stored(tensor: "TensorProto") -> int:
    from onnx import numpy_helper

    bits = _bits(_type(tensor))
    return bits if _type(tensor) not in ("int8", "uint8") else _used(numpy_helper.to_array(tensor), bits)


def _used(values: np.ndarray, bits: int) -> int:
    """Of `bits`, those that the distinct values need where they are few: of all, or of each output, which may have a codebook of its own."""
    every = (
        values.reshape(1, -1),
        *(np.moveaxis(values, k, 0).reshape(values.shape[k], -1) for k in (0, -1)),
    )
    needed = (_needed(_most_levels(rows)) for rows in every if _tells(rows))
    return min((bits, *needed))


def _tells(rows: np.ndarray) -> bool:
    """Whether what a row has of different values says something of its levels."""
    levels = _most_levels(rows)
    return levels <= FEW_LEVELS and rows.shape[1] >= 4 * levels


def _most_levels(rows: np.ndarray) -> int:
    steps = np.diff(np.sort(rows, axis=1), axis=1) != 0
    return 1 + int(steps.sum(axis=1).max(initial=0))


def _needed(levels: int) -> int:
    return max((levels - 1).bit_length(), 1)


def _type(tensor: "TensorProto") -> str:
    from onnx import TensorProto

    name = str(TensorProto.DataType.Name(tensor.data_type)).lower()
    return {"float": "float32", "double": "float64"}.get(name, name)


def _bits(kind: str) -> int:
    digits = re.search(r"\d+", kind)
    return int(digits[0]) if digits else 8


def _size(tensor: "TensorProto") -> int:
    return int(np.prod(tensor.dims, dtype=np.int64))


def _tflite_layers(path: Path) -> Iterator[LayerBits]:
    graph, model = read_tflite(path), read_model(path)
    makers = {output: op for op in graph.operators for output in op.outputs}
    for op in graph.operators:
        layer = _tflite_layer(op, graph, model, makers) if op.kind in _TFLITE else None
        if layer is not None:
            yield layer


def _tflite_layer(
    op: Operator, graph: TfliteGraph, model: "ModelT", makers: dict[int, Operator]
) -> LayerBits | None:
    data, places = _TFLITE[op.kind]
    given = [op.inputs[k] for k in places if k < len(op.inputs)]
    in_float = [i for i in given if i in makers and makers[i].kind == "DEQUANTIZE"]  # weights only
    stored = [makers[i].inputs[0] if i in in_float else i for i in given]
    stored = [i for i in stored if graph.tensors[i].constant and len(graph.tensors[i].shape) > 1]
    if not stored:
        return None
    weights = graph.tensors[stored[0]].type.lower()
    activations = graph.tensors[op.inputs[data]].type.lower()
    dynamic = not in_float and weights.startswith("int") and activations.startswith("float")
    activations = "int8" if dynamic else activations
    return LayerBits(
        layer=graph.tensors[op.outputs[0]].name,
        operator=op.kind,
        parameters=sum(int(np.prod(graph.tensors[i].shape, dtype=np.int64)) for i in stored),
        weights=weights,
        weight_bits=max(_tflite_bits(i, weights, model) for i in stored),
        activations=activations,
        activation_bits=_bits(activations),
        dynamic=dynamic,
    )


def _tflite_bits(tensor: int, kind: str, model: "ModelT") -> int:
    if kind != "int8":
        return _bits(kind)
    return _used(np.asarray(model.buffers[model.subgraphs[0].tensors[tensor].buffer].data), 8)
