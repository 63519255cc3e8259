"""One ONNX node in onnxruntime on the CPU: the other side of the bit-exact tests."""

from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from edgeq.quantize.numerics import INT4, INT8, UINT4, UINT8, Grid, QuantParams
from tests.quantize.numerics.reference import Window

_FOUR_BITS = {INT4: TensorProto.INT4, UINT4: TensorProto.UINT4}


def onnx_type(grid: Grid) -> int:
    return _FOUR_BITS.get(grid) or helper.np_dtype_to_tensor_dtype(grid.dtype)


def numbers(name: str, values: np.ndarray, grid: Grid) -> onnx.TensorProto:
    """An initializer of the grid's ONNX type, 4 bits packed."""
    return helper.make_tensor(name, onnx_type(grid), values.shape, values.astype(np.int64).ravel().tolist())


def scales(name: str, params: QuantParams) -> onnx.TensorProto:
    return numpy_helper.from_array(params.scale, name)


def quantize_linear(x: np.ndarray, params: QuantParams) -> np.ndarray:
    """QuantizeLinear; numpy has no 4 bits, so the result is widened to int32 in the graph."""
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"], **_where(params)),
        helper.make_node("Cast", ["q"], ["y"], to=TensorProto.INT32),
    ]
    constants = [scales("s", params), numbers("z", params.zero_point, params.grid)]
    return run(nodes, constants, {"x": x}, TensorProto.INT32)


def dequantize_linear(q: np.ndarray, params: QuantParams) -> np.ndarray:
    node = helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"], **_where(params))
    constants = [numbers("q", q, params.grid), scales("s", params)]
    constants.append(numbers("z", params.zero_point, params.grid))
    return run([node], constants, {}, TensorProto.FLOAT)


def run(nodes: list, constants: list, fed: dict[str, np.ndarray], out_type: int) -> np.ndarray:
    """The output y of a graph that has the fed arrays as inputs."""
    inputs = [
        helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), None)
        for n, a in fed.items()
    ]
    outputs = [helper.make_tensor_value_info("y", out_type, None)]
    graph = helper.make_graph(nodes, "one", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    # The node itself is asked, not what a fusion makes of it.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return np.asarray(session.run(None, fed)[0])


def _where(params: QuantParams) -> dict[str, Any]:
    found = {"axis": params.granularity.axis, "block_size": params.granularity.block_size}
    return {name: value for name, value in found.items() if value is not None}


def qlinear_matmul(
    a: np.ndarray, ap: QuantParams, b: np.ndarray, bp: QuantParams, yp: QuantParams
) -> np.ndarray:
    """a is fed, b is constant, as weights are."""
    node = helper.make_node("QLinearMatMul", ["a", "as", "az", "b", "bs", "bz", "ys", "yz"], ["y"])
    return run([node], _constants(b=(b, bp), a=(None, ap), y=(None, yp)), {"a": a}, onnx_type(yp.grid))


def qlinear_conv(
    x: np.ndarray,
    xp: QuantParams,
    w: np.ndarray,
    wp: QuantParams,
    yp: QuantParams,
    bias: np.ndarray | None,
    window: Window,
) -> np.ndarray:
    attributes = {k: v for k, v in vars(window).items() if v}
    names = ["x", "xs", "xz", "w", "ws", "wz", "ys", "yz"]
    constants = _constants(w=(w, wp), x=(None, xp), y=(None, yp))
    if bias is not None:
        names.append("bias")
        constants.append(numpy_helper.from_array(bias, "bias"))
    node = helper.make_node("QLinearConv", names, ["y"], **attributes)
    return run([node], constants, {"x": x}, onnx_type(yp.grid))


def saturates() -> bool:
    """Whether this CPU's kernels for U8S8 sum pairs of products in 16 bits.

    255 * 127 + 255 * 127 - 255 * 127 is 127 steps of 255; held to 32767 after the first pair it is 1 step.
    """
    unsigned, signed = QuantParams(1.0, 0, UINT8), QuantParams(1.0, 0, INT8)
    a, b = np.full((2, 4), 255, np.uint8), np.tile(np.array([[127], [127], [-127], [0]], np.int8), 16)
    y = qlinear_matmul(a, unsigned, b, signed, QuantParams(255.0, 0, UINT8))
    return bool(np.any(y != 127))


def _constants(**of: tuple[np.ndarray | None, QuantParams]) -> list[onnx.TensorProto]:
    """Numbers where given, scale and zero point of each."""
    made = []
    for name, (values, params) in of.items():
        if values is not None:
            made.append(numbers(name, values, params.grid))
        made += [scales(f"{name}s", params), numbers(f"{name}z", params.zero_point, params.grid)]
    return made
