"""TFLite files of a few operators, written by the schema's own classes."""

from pathlib import Path

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edgeq.graphs import tflite
from edgeq.graphs.tflite import opcode_of, packed
from edgeq.nouns.model import Model
from edgeq.nouns.tensor import TensorSpec


def dense(path: Path, width: int = 64) -> Path:
    """y = x W^T, both 1 x `width`."""
    weight = np.random.default_rng(0).normal(size=(width, width)).astype(np.float32)
    options = schema.FullyConnectedOptionsT()
    return _one_layer(path, "FULLY_CONNECTED", options, weight, (1, width), (1, width))


def convolution(path: Path, channels: int = 16, size: int = 16) -> Path:
    """3 x 3, as many channels out as in, batch of one."""
    weight = np.random.default_rng(0).normal(size=(channels, 3, 3, channels)).astype(np.float32)
    options = schema.Conv2DOptionsT()
    options.strideH = options.strideW = options.dilationHFactor = options.dilationWFactor = 1
    shape = (1, size, size, channels)
    return _one_layer(path, "CONV_2D", options, weight, shape, shape)


def two_outputs(path: Path, outputs: tuple[str, ...] = ("y", "p"), width: int = 16) -> Path:
    """y = x W^T + b and p = softmax(y), from 1 x `width` to 1 x 8; the graph's outputs by name."""
    rng = np.random.default_rng(0)
    softmax = schema.SoftmaxOptionsT()
    softmax.beta = 1.0
    return write(
        path,
        {"x": (1, width), "y": (1, 8), "p": (1, 8)},
        {"w": rng.normal(size=(8, width)), "b": rng.normal(size=8)},
        [
            ("FULLY_CONNECTED", schema.FullyConnectedOptionsT(), ["x", "w", "b"], "y"),
            ("SOFTMAX", softmax, ["y"], "p"),
        ],
        ("x",),
        outputs,
    )


def divided(path: Path, width: int = 16) -> Path:
    """d = y / (1 + y y) with y = x W^T + b, from 1 x `width` to 1 x 8; rows of W of very different size."""
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(8, width)) * np.logspace(-2, 0, 8)[:, None]
    shapes = {"x": (1, width), **dict.fromkeys(("y", "square", "below", "d"), (1, 8))}
    return write(
        path,
        shapes,
        {"w": weight, "b": rng.normal(size=8), "one": np.ones(1)},
        [
            ("FULLY_CONNECTED", schema.FullyConnectedOptionsT(), ["x", "w", "b"], "y"),
            ("MUL", schema.MulOptionsT(), ["y", "y"], "square"),
            ("ADD", schema.AddOptionsT(), ["square", "one"], "below"),
            ("DIV", schema.DivOptionsT(), ["y", "below"], "d"),
        ],
        ("x",),
        ("d",),
    )


def multiplied(path: Path, width: int = 16) -> Path:
    """y = (x F) W, the second product a BATCH_MATMUL, from 1 x `width` to 1 x 8; columns of W of very different size."""
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(width, 8)) * np.logspace(-1, 0, 8)
    return write(
        path,
        {"x": (1, width), "h": (1, width), "y": (1, 8)},
        {"f": rng.normal(size=(width, width)), "w": weight},
        [
            ("FULLY_CONNECTED", schema.FullyConnectedOptionsT(), ["x", "f"], "h"),
            ("BATCH_MATMUL", schema.BatchMatMulOptionsT(), ["h", "w"], "y"),
        ],
        ("x",),
        ("y",),
    )


def _one_layer(path: Path, kind: str, options: object, weight: np.ndarray, x: tuple, y: tuple) -> Path:
    constants = {"w": weight, "b": np.zeros(y[-1])}
    return write(path, {"x": x, "y": y}, constants, [(kind, options, ["x", "w", "b"], "y")], ("x",), ("y",))


def write(
    path: Path,
    shapes: dict[str, tuple],
    constants: dict[str, np.ndarray],
    operators: list[tuple[str, object, list[str], str]],
    inputs: tuple[str, ...],
    outputs: tuple[str, ...],
) -> Path:
    """Operators as (kind, options, inputs, output), all float32 but for constants of integers."""
    model, graph = schema.ModelT(), schema.SubGraphT()
    model.version, model.subgraphs, model.operatorCodes, model.buffers = 3, [graph], [], [schema.BufferT()]
    names = [*shapes, *constants]
    graph.tensors = [_tensor(name, shape, 0) for name, shape in shapes.items()]
    for name, values in constants.items():
        buffer = schema.BufferT()
        stored = values.astype(np.int32 if values.dtype.kind == "i" else np.float32)
        buffer.data = np.frombuffer(stored.tobytes(), np.uint8)
        model.buffers.append(buffer)
        graph.tensors.append(_tensor(name, values.shape, len(model.buffers) - 1))
        if values.dtype.kind == "i":
            graph.tensors[-1].type = schema.TensorType.INT32
    graph.inputs, graph.outputs = ([names.index(n) for n in ends] for ends in (inputs, outputs))
    graph.operators = []
    for kind, options, read, made in operators:
        operator = schema.OperatorT()
        operator.opcodeIndex = opcode_of(model, getattr(schema.BuiltinOperator, kind))
        operator.inputs, operator.outputs = [names.index(n) for n in read], [names.index(made)]
        operator.builtinOptions = options
        type_name = type(options).__name__.removesuffix("T")
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, type_name)
        graph.operators.append(operator)
    path.write_bytes(packed(model))
    return path


def _tensor(name: str, shape: tuple, buffer: int) -> schema.TensorT:
    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.buffer = name, list(shape), buffer
    tensor.type = schema.TensorType.FLOAT32
    return tensor


def model_of_file(file: Path) -> Model:
    """The Model noun of a .tflite with one input and one output."""
    graph = tflite.read_tflite(file)
    x, y = (graph.tensors[i] for i in (graph.inputs[0], graph.outputs[0]))
    return Model(
        name="net",
        source=str(file),
        source_format="tflite",
        sha256="0" * 64,
        inputs=(TensorSpec("x", "float32", x.shape),),
        outputs=(TensorSpec("y", "float32", y.shape),),
        float_bytes=file.stat().st_size,
        files={"tflite": str(file)},
    )
