"""TFLite files of one layer, written by the schema's own classes."""

from pathlib import Path

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils


def dense(path: Path, width: int = 64) -> Path:
    """y = x W^T, both 1 x `width`."""
    weight = np.random.default_rng(0).normal(size=(width, width)).astype(np.float32)
    options = schema.FullyConnectedOptionsT()
    return _one_layer(path, schema.BuiltinOperator.FULLY_CONNECTED, options, weight, (1, width), (1, width))


def convolution(path: Path, channels: int = 16, size: int = 16) -> Path:
    """3 x 3, as many channels out as in, batch of one."""
    weight = np.random.default_rng(0).normal(size=(channels, 3, 3, channels)).astype(np.float32)
    options = schema.Conv2DOptionsT()
    options.strideH = options.strideW = options.dilationHFactor = options.dilationWFactor = 1
    shape = (1, size, size, channels)
    return _one_layer(path, schema.BuiltinOperator.CONV_2D, options, weight, shape, shape)


def _one_layer(path: Path, kind: int, options: object, weight: np.ndarray, x: tuple, y: tuple) -> Path:
    model, graph, op, code = (
        schema.ModelT(),
        schema.SubGraphT(),
        schema.OperatorT(),
        schema.OperatorCodeT(),
    )
    weights, biases, empty = schema.BufferT(), schema.BufferT(), schema.BufferT()
    bias = np.zeros(y[-1], np.float32)
    weights.data = np.frombuffer(weight.tobytes(), np.uint8)
    biases.data = np.frombuffer(bias.tobytes(), np.uint8)
    code.builtinCode = code.deprecatedBuiltinCode = kind
    code.version = 1
    op.inputs, op.outputs = [0, 1, 2], [3]
    op.builtinOptions = options
    op.builtinOptionsType = {
        schema.FullyConnectedOptionsT: schema.BuiltinOptions.FullyConnectedOptions,
        schema.Conv2DOptionsT: schema.BuiltinOptions.Conv2DOptions,
    }[type(options)]
    graph.tensors = [
        _tensor("x", x, 0),
        _tensor("w", weight.shape, 1),
        _tensor("b", bias.shape, 2),
        _tensor("y", y, 0),
    ]
    graph.inputs, graph.outputs, graph.operators = [0], [3], [op]
    model.version, model.subgraphs, model.operatorCodes = 3, [graph], [code]
    model.buffers = [empty, weights, biases]
    path.write_bytes(flatbuffer_utils.convert_object_to_bytearray(model))
    return path


def _tensor(name: str, shape: tuple, buffer: int) -> schema.TensorT:
    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.buffer = name, list(shape), buffer
    tensor.type = schema.TensorType.FLOAT32
    return tensor
