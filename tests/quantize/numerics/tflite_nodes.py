"""A TFLite file with one QUANTIZE or DEQUANTIZE operator, and LiteRT to run it."""

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from ai_edge_litert.tools import flatbuffer_utils

from edgeq.quantize.numerics import INT4, INT8, INT16, UINT8, Grid, QuantParams

_TYPES = {
    INT4: schema.TensorType.INT4,
    INT8: schema.TensorType.INT8,
    UINT8: schema.TensorType.UINT8,
    INT16: schema.TensorType.INT16,
}

XNNPACK = OpResolverType.BUILTIN
REFERENCE = OpResolverType.BUILTIN_REF


def quantized(x: np.ndarray, params: QuantParams, kernels: OpResolverType) -> np.ndarray:
    operator = schema.BuiltinOperator.QUANTIZE, schema.BuiltinOptions.QuantizeOptions, schema.QuantizeOptionsT
    return _run(_file(operator, _tensor("x", x.shape), _tensor("y", x.shape, params)), x, kernels)


def dequantized(q: np.ndarray, params: QuantParams, kernels: OpResolverType) -> np.ndarray:
    operator = (
        schema.BuiltinOperator.DEQUANTIZE,
        schema.BuiltinOptions.DequantizeOptions,
        schema.DequantizeOptionsT,
    )
    return _run(_file(operator, _tensor("x", q.shape, params), _tensor("y", q.shape)), q, kernels)


def _run(content: bytes, fed: np.ndarray, kernels: OpResolverType) -> np.ndarray:
    interpreter = Interpreter(model_content=content, experimental_op_resolver_type=kernels)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], fed)
    interpreter.invoke()
    return np.asarray(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))


def _file(operator: tuple, x: schema.TensorT, y: schema.TensorT) -> bytes:
    kind, options_type, options = operator
    model, graph, op, code = schema.ModelT(), schema.SubGraphT(), schema.OperatorT(), schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = kind
    code.version = 3
    op.inputs, op.outputs = [0], [1]
    op.builtinOptionsType, op.builtinOptions = options_type, options()
    graph.tensors, graph.inputs, graph.outputs, graph.operators = [x, y], [0], [1], [op]
    model.version, model.subgraphs, model.operatorCodes, model.buffers = (
        3,
        [graph],
        [code],
        [schema.BufferT()],
    )
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def _tensor(name: str, shape: tuple, params: QuantParams | None = None) -> schema.TensorT:
    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.buffer = name, list(shape), 0
    tensor.type = schema.TensorType.FLOAT32
    if params is not None:
        tensor.type = _TYPES[_full(params.grid)]
        tensor.quantization = quantization = schema.QuantizationParametersT()
        quantization.scale = params.scale.ravel().tolist()
        quantization.zeroPoint = params.zero_point.ravel().tolist()
        quantization.quantizedDimension = params.granularity.axis or 0
    return tensor


def _full(grid: Grid) -> Grid:
    return Grid(grid.bits, grid.signed)
