"""A filter that AVX2 without VNNI gets wrong: it only smooths, so neighbouring weights are large alike and pairs of their
products overflow 16 bits.
"""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

CHANNELS, SIDE = 16, 12


def smoothing(path: Path) -> Path:
    """Three convolutions of positive weights, image to image."""
    rng = np.random.default_rng(2)
    filters = [rng.uniform(0.5, 1.0, (CHANNELS, CHANNELS, 3, 3)) / (9 * CHANNELS * 0.75) for _ in range(3)]
    weights = [numpy_helper.from_array(w.astype(np.float32), f"w{i}") for i, w in enumerate(filters)]
    nodes = []
    for i, source in enumerate(("x", "r0", "r1")):
        nodes.append(helper.make_node("Conv", [source, f"w{i}"], [f"c{i}"], f"conv{i}", pads=[1] * 4))
        nodes.append(helper.make_node("Relu", [f"c{i}"], [f"r{i}"], f"relu{i}"))
    shape = [1, CHANNELS, SIDE, SIDE]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("x", "r2")]
    graph = helper.make_graph(nodes, "smoothing", ends[:1], ends[1:], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def mixing(path: Path) -> Path:
    """Two matrices of positive weights, rows of 16 to rows of 16: what dynamic int8 takes."""
    rng = np.random.default_rng(4)
    filters = [rng.uniform(0.5, 1.0, (CHANNELS, CHANNELS)) / (CHANNELS * 0.75) for _ in range(2)]
    weights = [numpy_helper.from_array(w.astype(np.float32), f"w{i}") for i, w in enumerate(filters)]
    nodes = [
        helper.make_node("MatMul", ["x", "w0"], ["m"], "first"),
        helper.make_node("Relu", ["m"], ["r"], "relu"),
        helper.make_node("MatMul", ["r", "w1"], ["y"], "second"),
    ]
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, SIDE, CHANNELS]) for n in ("x", "y")]
    graph = helper.make_graph(nodes, "mixing", ends[:1], ends[1:], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def images(path: Path, count: int = 24) -> Path:
    """Noise of another brightness in every channel."""
    rng = np.random.default_rng(3)
    bright = rng.uniform(0.2, 1, (count, CHANNELS, 1, 1))
    np.savez(path, x=(rng.uniform(0, 1, (count, CHANNELS, SIDE, SIDE)) * bright).astype(np.float32))
    return path
