"""The float graph with every quantizer of a QDQ file built in behind a switch: t + s_k * (quantized(t) - t)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeq.graphs.onnx_edit import copied
from edgeq.graphs.onnx_index import index_of
from edgeq.quantize.numerics import real_values
from edgeq.quantize.samples import Array
from edgeq.quantize.sensitivity.quantization_groups import Islands

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto

SWITCHES = "edgeq_switches"  # the added input, float [number of switches]


@dataclass(frozen=True)
class Switch:
    """`layer` is the tensor's or the weight's name; `clipped` the added output that says how much of the error is
    clipping (sum of squares outside the range, over all of the error), None for weights, which never clip.
    """

    layer: str
    leave: frozenset[str]
    clipped: str | None


def switchboard(model: "ModelProto", quantized: "ModelProto") -> "tuple[ModelProto, tuple[Switch, ...]]":
    """(graph, switches) from the float model and the QDQ model that was made from it."""
    import onnx

    board = copied(model)
    graph, islands = board.graph, Islands(model.graph)
    graph.input.append(onnx.helper.make_tensor_value_info(SWITCHES, onnx.TensorProto.FLOAT, [None]))
    switches: list[Switch] = []
    for weight, difference in _weights(model, quantized):
        _switch_weight(graph, weight, difference, len(switches))
        switches.append(Switch(weight, islands.readers(weight), None))
    for tensor, scale, zero in _activations(model, quantized):
        clipped = _switch_activation(graph, tensor, scale, zero, len(switches))
        switches.append(Switch(tensor, islands.around(tensor), clipped))
    return board, tuple(switches)


def _weights(model: "ModelProto", quantized: "ModelProto") -> list[tuple[str, Array]]:
    """(name, dequantized - float) of every float initialiser that the QDQ file holds as 8-bit integers."""
    import onnx

    to_array = onnx.numpy_helper.to_array
    floats, stored = index_of(model.graph), index_of(quantized.graph)
    found = []
    for node in (n for n in stored.nodes if n.op_type == "DequantizeLinear"):
        name = node.input[0].removesuffix("_quantized")
        weight = floats.initializer(name)
        if weight is None or stored.initializer(node.input[0]) is None:
            continue
        integers, scale, zero = (to_array(stored.initializer(name)) for name in node.input)
        if integers.dtype not in (np.int8, np.uint8):
            continue  # a bias in 32 bits rounds to nothing
        axis = next((a.i for a in node.attribute if a.name == "axis"), 1)
        real = real_values(integers, scale, zero, axis)
        found.append((name, (real - to_array(weight)).astype(np.float32)))
    return found


def _activations(model: "ModelProto", quantized: "ModelProto") -> list[tuple[str, Array, Array]]:
    """(tensor, scale, zero point) of every activation that the QDQ file quantizes."""
    import onnx

    to_array = onnx.numpy_helper.to_array
    floats, stored = index_of(model.graph), index_of(quantized.graph)
    found = []
    for node in (n for n in stored.nodes if n.op_type == "QuantizeLinear"):
        # The quantizer renames what stands before the Q of a graph output, so that its DQ can have the output's name.
        tensor = node.input[0].removesuffix("_QuantizeLinear_Input")
        if floats.producer(tensor) is not None or floats.is_graph_input(tensor):
            scale, zero = (to_array(stored.initializer(name)) for name in node.input[1:3])
            found.append((tensor, scale, zero))
    return found


def _switch_weight(graph: "GraphProto", weight: str, difference: Array, k: int) -> None:
    import onnx

    graph.initializer.append(onnx.numpy_helper.from_array(difference, f"edgeq_difference_{k}"))
    _redirect(graph, weight, f"edgeq_weight_{k}")
    _mix(graph, weight, f"edgeq_difference_{k}", f"edgeq_weight_{k}", k)


def _switch_activation(graph: "GraphProto", tensor: str, scale: Array, zero: Array, k: int) -> str:
    import onnx

    node, initial = onnx.helper.make_node, onnx.numpy_helper.from_array
    limits: np.iinfo[Any] = np.iinfo(zero.dtype)
    step, middle = scale.astype(np.float32), zero.astype(np.float32)
    low, high = ((np.float32(q) - middle) * step for q in (limits.min, limits.max))
    s, z, lo, hi = (f"edgeq_{word}_{k}" for word in ("scale", "zero", "low", "high"))
    values = ((s, scale), (z, zero), (lo, np.float32(low)), (hi, np.float32(high)))
    graph.initializer.extend(initial(np.asarray(v), name) for name, v in values)
    plain, mixed = _plain_and_mixed(graph, tensor, k)
    q, dq, error, cut, outside = (f"edgeq_{w}_{k}" for w in ("q", "dq", "error", "cut", "outside"))
    graph.node.extend(
        [
            node("QuantizeLinear", [plain, s, z], [q]),
            node("DequantizeLinear", [q, s, z], [dq]),
            node("Sub", [dq, plain], [error]),
            node("Clip", [plain, lo, hi], [cut]),
            node("Sub", [cut, plain], [outside]),
            node("ReduceSumSquare", [outside], [f"edgeq_outside_{k}_sum"], keepdims=0),
            node("ReduceSumSquare", [error], [f"edgeq_error_{k}_sum"], keepdims=0),
            node("Div", [f"edgeq_outside_{k}_sum", f"edgeq_error_{k}_sum"], [f"edgeq_clipped_{k}"]),
        ]
    )
    graph.output.append(onnx.helper.make_tensor_value_info(f"edgeq_clipped_{k}", onnx.TensorProto.FLOAT, []))
    _mix(graph, plain, error, mixed, k)
    return f"edgeq_clipped_{k}"


def _plain_and_mixed(graph: "GraphProto", tensor: str, k: int) -> tuple[str, str]:
    """The names before and after the switch: whoever read `tensor` reads the mixed one from now on."""
    for node in graph.node:
        for i, name in enumerate(node.output):
            if name == tensor:
                node.output[i] = f"edgeq_plain_{k}"
                return f"edgeq_plain_{k}", tensor
    _redirect(graph, tensor, f"edgeq_mixed_{k}")
    return tensor, f"edgeq_mixed_{k}"


def _redirect(graph: "GraphProto", old: str, new: str) -> None:
    for node in graph.node:
        for i, name in enumerate(node.input):
            if name == old:
                node.input[i] = new


def _mix(graph: "GraphProto", plain: str, error: str, mixed: str, k: int) -> None:
    import onnx

    node = onnx.helper.make_node
    graph.initializer.append(onnx.numpy_helper.from_array(np.array(k, np.int64), f"edgeq_index_{k}"))
    graph.node.extend(
        [
            node("Gather", [SWITCHES, f"edgeq_index_{k}"], [f"edgeq_switch_{k}"]),
            node("Mul", [error, f"edgeq_switch_{k}"], [f"edgeq_part_{k}"]),
            node("Add", [plain, f"edgeq_part_{k}"], [mixed]),
        ]
    )
