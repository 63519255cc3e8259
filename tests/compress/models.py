"""Model files in a few lines: ONNX initializers, and a .tflite of one dense layer."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def onnx_file(**tensors: np.ndarray) -> bytes:
    """Initializers of these names, in their order; a graph that passes its input on."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
    stored = [numpy_helper.from_array(np.ascontiguousarray(t), name) for name, t in tensors.items()]
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", [x], [y], stored)
    model = helper.make_model(graph)
    return bytes(model.SerializeToString())


def weights(bits: int, shape: tuple[int, ...] = (32, 16, 3, 3), seed: int = 0) -> np.ndarray:
    """int8 on 2^bits levels, spread unlike from output to output."""
    rng = np.random.default_rng(seed)
    spread = rng.uniform(0.5, 2.0, (shape[0], *[1] * (len(shape) - 1)))
    most = 2 ** (bits - 1) - 1
    levels = np.clip(np.rint(rng.normal(size=shape) * spread * most / 5), -most, most)
    return (levels * 2 ** (7 - bits if bits < 7 else 0)).astype(np.int8)


def floats(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def is_onnx(content: bytes) -> bool:
    onnx.load_model_from_string(content)
    return True
