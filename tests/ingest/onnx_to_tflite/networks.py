"""ONNX networks of a few lines, as exporters write them: NCHW, names with marks in them."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def write(path: Path, nodes: list, inputs: dict, outputs: dict, **weights: np.ndarray) -> Path:
    """Inputs and outputs by name: a shape of floats, or (shape, type)."""

    def values(ends: dict) -> list:
        typed = {n: e if e and isinstance(e[0], list) else (e, TensorProto.FLOAT) for n, e in ends.items()}
        return [helper.make_tensor_value_info(n, kind, shape) for n, (shape, kind) in typed.items()]

    constants = [numpy_helper.from_array(array, name) for name, array in weights.items()]
    graph = helper.make_graph(nodes, "net", values(inputs), values(outputs), constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))
    return path


def draw(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).normal(scale=0.3, size=shape).astype(np.float32)


def residual(path: Path, channels: int = 8) -> Path:
    """1x3x8x8 -> 10 logits, one shortcut."""
    node = helper.make_node
    nodes = [
        node("Conv", ["image", "w1"], ["a"], pads=[1, 1, 1, 1]),
        node("Relu", ["a"], ["b"]),
        node("Conv", ["b", "w2"], ["c"], pads=[1, 1, 1, 1]),
        node("Add", ["b", "c"], ["d"]),
        node("Relu", ["d"], ["e"]),
        node("GlobalAveragePool", ["e"], ["f"]),
        node("Flatten", ["f"], ["g"]),
        node("Gemm", ["g", "w3"], ["logits"]),
    ]
    weights = {"w1": draw(channels, 3, 3, 3), "w2": draw(channels, channels, 3, 3), "w3": draw(channels, 10)}
    return write(path, nodes, {"image": [1, 3, 8, 8]}, {"logits": [1, 10]}, **weights)


def perceptron(path: Path) -> Path:
    """1x16 -> the logarithms of 4 probabilities."""
    node = helper.make_node
    nodes = [
        node("Gemm", ["x:0", "w1"], ["a"]),
        node("Relu", ["a"], ["b"]),
        node("Gemm", ["b", "w2"], ["c"]),
        node("LogSoftmax", ["c"], ["log/p"], axis=1),
    ]
    return write(path, nodes, {"x:0": [1, 16]}, {"log/p": [1, 4]}, w1=draw(16, 32), w2=draw(32, 4))
