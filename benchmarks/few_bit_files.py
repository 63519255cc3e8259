"""Files of one layer whose weights have 8, 4 or 2 bits, for onnxruntime and LiteRT, with the outputs that numpy computes of them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.quantize.weights import round_to_nearest

Floats = npt.NDArray[np.float32]

_STEP = np.float32(8 / 255)  # of static activations
_IMAGE = 16  # pixels of a convolution's input, each way
_FULLY_CONNECTED, _CONV_2D = 9, 3  # of TFLite's BuiltinOperator
_FULLY_CONNECTED_OPTIONS, _CONV_2D_OPTIONS = 8, 1  # of its BuiltinOptions
_FLOAT32, _INT32, _INT8, _INT4, _INT2 = 0, 2, 9, 17, 19  # of its TensorType


@dataclass(frozen=True, eq=False)
class File:
    """`expected` is float64 [rows, outputs], of exact products of the dequantized weights with the values of `x`; `scale`: what one
    step of the output stands for, 1 where it is in float.
    """

    content: bytes
    x: npt.NDArray[Any]
    expected: npt.NDArray[np.float64]
    scale: float = 1.0


def onnx_file(kind: str, rows: int, inputs: int, outputs: int) -> File:
    """`kind`: "float", "dynamic 8" (MatMulInteger), or "blocks 4 32": bits and size of MatMulNBits."""
    from onnx import TensorProto, helper, numpy_helper

    from edgeq.quantize.backends.ort.nbits import in_blocks

    random = np.random.default_rng(0)
    x = random.normal(size=(rows, inputs)).astype(np.float32)
    weights = random.normal(size=(outputs, inputs)).astype(np.float32)
    values = weights
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"], name="product")]
    constants = [numpy_helper.from_array(weights.T.copy(), "w")]
    if kind == "dynamic 8":
        scale = (np.abs(weights).max(axis=1) / 127).astype(np.float32)
        integers = np.round(weights / scale[:, None]).astype(np.int8)
        values = integers * scale[:, None]
        inside = ["x", "w", "w_scale"]
        nodes = [helper.make_node("DynamicQuantizeMatMul", inside, ["y"], domain="com.microsoft")]
        constants = [
            numpy_helper.from_array(integers.T.copy(), "w"),
            numpy_helper.from_array(scale, "w_scale"),
        ]
    graph = helper.make_graph(
        nodes,
        "layer",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [rows, inputs])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [rows, outputs])],
        constants,
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    if kind.startswith("blocks"):
        bits, size = map(int, kind.split()[1:])
        blocks = round_to_nearest(weights, bits, size)
        model, values = in_blocks(model, [blocks]), blocks.values()
    return File(model.SerializeToString(), x, x.astype(np.float64) @ values.T.astype(np.float64))


def tflite_file(operator: str, bits: int, static: bool, rows: int, inputs: int, outputs: int) -> File:
    """FULLY_CONNECTED, or a CONV_2D of 1x1 or 3x3 on 16 x 16 pixels ("CONV_2D 1x1"); a scale for each output."""
    random = np.random.default_rng(0)
    side = int(operator[-1]) if operator.startswith("CONV_2D") else 0
    most = 2 ** (bits - 1) - 1
    shape = (outputs, side, side, inputs) if side else (outputs, inputs)
    integers = random.integers(-most, most + 1, shape).astype(np.int8)
    scale = random.uniform(0.005, 0.025, outputs).astype(np.float32)
    x = random.normal(size=(1, _IMAGE, _IMAGE, inputs) if side else (rows, inputs)).astype(np.float32)
    fed: npt.NDArray[Any] = np.clip(np.round(x / _STEP), -128, 127).astype(np.int8) if static else x
    values = fed.astype(np.float64) * (float(_STEP) if static else 1.0)
    products = (_neighbours(values, side) if side else values) @ integers.reshape(outputs, -1).T.astype(
        np.float64
    )
    expected = products * scale.astype(np.float64)
    step = float(np.float32(np.abs(expected).max() / 127)) if static else 1.0
    content = _packed(side, bits, static, fed.shape, integers, scale, step)
    return File(content, fed, expected.reshape(-1, outputs), step)


def _neighbours(x: npt.NDArray[np.float64], side: int) -> npt.NDArray[np.float64]:
    """[pixels, side * side * channels] of x [1, height, width, channels], zeros beyond the edges."""
    edge = side // 2
    padded = np.pad(x[0], ((edge, edge), (edge, edge), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (side, side), axis=(0, 1))
    return windows.transpose(0, 1, 3, 4, 2).reshape(x.shape[1] * x.shape[2], -1)


def several_to_a_byte(integers: npt.NDArray[np.int8], bits: int) -> npt.NDArray[np.uint8]:
    """Two's complement, the first in the lowest bits, without a gap between rows: TFLite's INT4 and INT2."""
    each = 8 // bits
    flat = integers.reshape(-1).view(np.uint8) & (2**bits - 1)
    flat = np.pad(flat, (0, -len(flat) % each))
    return np.asarray(np.bitwise_or.reduce([flat[k::each] << (k * bits) for k in range(each)]), np.uint8)


def _packed(
    side: int,
    bits: int,
    static: bool,
    shape: tuple[int, ...],
    integers: npt.NDArray[np.int8],
    scale: Floats,
    step: float,
) -> bytes:
    from ai_edge_litert import schema_py_generated as schema

    from edgeq.graphs.tflite import packed

    model, graph = schema.ModelT(), schema.SubGraphT()
    model.version, model.subgraphs, model.buffers = 3, [graph], [schema.BufferT()]
    ends = _INT8 if static else _FLOAT32
    outputs = len(scale)
    x = _tensor(model, "x", shape, ends, scale=[_STEP] if static else None)
    weights = {8: _INT8, 4: _INT4, 2: _INT2}[bits]
    data = several_to_a_byte(integers, bits)
    w = _tensor(model, "w", integers.shape, weights, data, scale)
    zeros = np.zeros(outputs, np.int32 if static else np.float32)
    b = _tensor(
        model, "b", (outputs,), _INT32 if static else _FLOAT32, zeros, scale * _STEP if static else None
    )
    y = _tensor(model, "y", (*shape[:-1], outputs), ends, scale=[step] if static else None)
    operator, code = schema.OperatorT(), schema.OperatorCodeT()
    operator.opcodeIndex, operator.inputs, operator.outputs = 0, [x, w, b], [y]
    if side:
        operator.builtinOptions, operator.builtinOptionsType = schema.Conv2DOptionsT(), _CONV_2D_OPTIONS
        operator.builtinOptions.strideW = operator.builtinOptions.strideH = 1
    else:
        operator.builtinOptions = schema.FullyConnectedOptionsT()
        operator.builtinOptionsType = _FULLY_CONNECTED_OPTIONS
    code.builtinCode = code.deprecatedBuiltinCode = _CONV_2D if side else _FULLY_CONNECTED
    code.version = 5
    model.operatorCodes, graph.operators = [code], [operator]
    graph.inputs, graph.outputs, graph.name = [x], [y], "main"
    return packed(model)


def _tensor(
    model: Any,
    name: str,
    shape: tuple[int, ...],
    kind: int,
    data: npt.NDArray[Any] | None = None,
    scale: Any = None,
) -> int:
    from ai_edge_litert import schema_py_generated as schema

    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.type, tensor.buffer = name, list(shape), kind, 0
    if data is not None:
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(data.tobytes(), np.uint8)
        model.buffers.append(buffer)
        tensor.buffer = len(model.buffers) - 1
    if scale is not None:
        tensor.quantization = schema.QuantizationParametersT()
        tensor.quantization.scale = np.asarray(scale, np.float32)
        tensor.quantization.zeroPoint = np.zeros(len(scale), np.int64)
    [graph] = model.subgraphs
    graph.tensors = [*(graph.tensors or ()), tensor]
    return len(graph.tensors) - 1
