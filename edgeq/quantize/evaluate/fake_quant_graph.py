"""The float graph with a fake quantizer for every quantizer of a QDQ file, each of which a switch turns on:
t + s_k * (quantized(t) - t). One run with one switch on is the float model with that one tensor quantized.

Also which nodes have to stay in float together for a tensor to stay in float. A quantizer remains on a tensor as long as any
node that makes or reads it is quantized; operators that only move values (Reshape, MaxPool ...) pass the same rounding on
under another name.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from edgeq.graphs.onnx_edit import copied
from edgeq.graphs.onnx_index import OnnxIndex, index_of
from edgeq.graphs.op_sets import SAME_ROUNDING
from edgeq.quantize.numerics import dequantize_linear
from edgeq.quantize.samples import Array

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto

SWITCHES = "edgeq_switches"  # the added input, float [number of quantizers]: 1 turns one on


@dataclass(frozen=True)
class FakeQuantizer:
    """`layer` is the tensor's or the weight's name, `in_float` are the nodes that stay in float together with it. `clipped`: the
    added output that says how much of the error is clipping (sum of squares outside the range, over all of the error),
    None for weights, which never clip.
    """

    layer: str
    in_float: frozenset[str]
    clipped: str | None


def fake_quant_graph(
    model: "ModelProto", quantized: "ModelProto"
) -> "tuple[ModelProto, tuple[FakeQuantizer, ...]]":
    """Of the float model and the QDQ model that was made from it."""
    import onnx

    floats, stored, copy = index_of(model.graph), index_of(quantized.graph), copied(model)
    graph = copy.graph
    graph.input.append(onnx.helper.make_tensor_value_info(SWITCHES, onnx.TensorProto.FLOAT, [None]))
    found: list[FakeQuantizer] = []
    for weight, difference in _weights(floats, stored):
        _quantize_weight(graph, weight, difference, len(found))
        readers = frozenset(n.name for n in floats.consumers(weight))
        found.append(FakeQuantizer(weight, readers, None))
    for tensor, scale, zero in _activations(floats, stored):
        clipped = _quantize_activation(graph, tensor, scale, zero, len(found))
        found.append(FakeQuantizer(tensor, _quantization_group(tensor, floats), clipped))
    return copy, tuple(found)


def _weights(floats: OnnxIndex, stored: OnnxIndex) -> Iterator[tuple[str, Array]]:
    """(name, dequantized - float) of every float initializer that the QDQ file holds as 8-bit integers."""
    from onnx import numpy_helper

    for node in (n for n in stored.nodes if n.op_type == "DequantizeLinear"):
        name = node.input[0].removesuffix("_quantized")
        weight = floats.initializer(name)
        if weight is None or stored.initializer(node.input[0]) is None:
            continue
        integers, scale, zero = (numpy_helper.to_array(stored.initializer(name)) for name in node.input)
        if integers.dtype in (np.int8, np.uint8):  # a bias in 32 bits rounds to nothing
            axis = next((a.i for a in node.attribute if a.name == "axis"), 1)
            dequantized = dequantize_linear(integers, scale, zero, axis)
            yield name, (dequantized - numpy_helper.to_array(weight)).astype(np.float32)


def _activations(
    floats: OnnxIndex, stored: OnnxIndex
) -> "Iterator[tuple[str, Array, npt.NDArray[np.integer]]]":
    """(tensor, scale, zero point) of every activation that the QDQ file quantizes."""
    from onnx import numpy_helper

    for node in (n for n in stored.nodes if n.op_type == "QuantizeLinear"):
        # The quantizer renames what stands before the Q of a graph output, so that its DQ can have the output's name.
        tensor = node.input[0].removesuffix("_QuantizeLinear_Input")
        if floats.producer(tensor) is not None or floats.is_graph_input(tensor):
            scale, zero = (numpy_helper.to_array(stored.initializer(name)) for name in node.input[1:3])
            yield tensor, scale, zero


def _quantization_group(tensor: str, index: OnnxIndex) -> frozenset[str]:
    """Names of the nodes that make and read `tensor`, through operators that only move values, either way."""
    nodes: set[str] = set()
    waiting, done = [tensor], set()
    while waiting:
        name = waiting.pop()
        if name in done:
            continue
        done.add(name)
        maker = index.producer(name)
        if maker is not None:
            nodes.add(maker.name)
            waiting += [maker.input[0]] if maker.op_type in SAME_ROUNDING else []
        for reader in index.consumers(name):
            nodes.add(reader.name)
            waiting += list(reader.output) if reader.op_type in SAME_ROUNDING else []
    return frozenset(nodes)


def _quantize_weight(graph: "GraphProto", weight: str, difference: Array, k: int) -> None:
    """The difference is flat until it is added: onnxruntime multiplies [1280, 320, 1, 1] by one number value by value."""
    from onnx import numpy_helper

    flat, shape = (f"edgeq_{word}_{k}" for word in ("difference", "shape"))
    graph.initializer.append(numpy_helper.from_array(difference.reshape(-1), flat))
    graph.initializer.append(numpy_helper.from_array(np.array(difference.shape, np.int64), shape))
    _redirect(graph, weight, f"edgeq_weight_{k}")
    _add_error(graph, weight, flat, f"edgeq_weight_{k}", k, shape)


def _quantize_activation(
    graph: "GraphProto", tensor: str, scale: Array, zero: "npt.NDArray[np.integer]", k: int
) -> str:
    from onnx import TensorProto, helper, numpy_helper

    node = helper.make_node
    limits = np.iinfo(zero.dtype)
    step, middle = scale.astype(np.float32), zero.astype(np.float32)
    low, high = ((np.float32(q) - middle) * step for q in (limits.min, limits.max))
    s, z, lo, hi = (f"edgeq_{word}_{k}" for word in ("scale", "zero", "low", "high"))
    values = ((s, scale), (z, zero), (lo, np.float32(low)), (hi, np.float32(high)))
    graph.initializer.extend(numpy_helper.from_array(np.asarray(v), name) for name, v in values)
    float_tensor, mixed = _before_and_after(graph, tensor, k)
    q, dq, error, cut, outside = (f"edgeq_{w}_{k}" for w in ("q", "dq", "error", "cut", "outside"))
    graph.node.extend(
        [
            node("QuantizeLinear", [float_tensor, s, z], [q]),
            node("DequantizeLinear", [q, s, z], [dq]),
            node("Sub", [dq, float_tensor], [error]),
            node("Clip", [float_tensor, lo, hi], [cut]),
            node("Sub", [cut, float_tensor], [outside]),
            node("ReduceSumSquare", [outside], [f"edgeq_outside_{k}_sum"], keepdims=0),
            node("ReduceSumSquare", [error], [f"edgeq_error_{k}_sum"], keepdims=0),
            node("Div", [f"edgeq_outside_{k}_sum", f"edgeq_error_{k}_sum"], [f"edgeq_clipped_{k}"]),
        ]
    )
    graph.output.append(helper.make_tensor_value_info(f"edgeq_clipped_{k}", TensorProto.FLOAT, []))
    _add_error(graph, float_tensor, error, mixed, k)
    return f"edgeq_clipped_{k}"


def _before_and_after(graph: "GraphProto", tensor: str, k: int) -> tuple[str, str]:
    """The names before and after the quantizer: whoever read `tensor` reads the one after it from now on."""
    for node in graph.node:
        for i, name in enumerate(node.output):
            if name == tensor:
                node.output[i] = f"edgeq_real_{k}"
                return f"edgeq_real_{k}", tensor
    _redirect(graph, tensor, f"edgeq_mixed_{k}")
    return tensor, f"edgeq_mixed_{k}"


def _redirect(graph: "GraphProto", old: str, new: str) -> None:
    for node in graph.node:
        for i, name in enumerate(node.input):
            if name == old:
                node.input[i] = new


def _add_error(
    graph: "GraphProto", float_tensor: str, error: str, mixed: str, k: int, shape: str = ""
) -> None:
    """mixed = float_tensor + s_k * error; `shape` names that of the error, where it is flat."""
    from onnx import helper, numpy_helper

    graph.initializer.append(numpy_helper.from_array(np.array(k, np.int64), f"edgeq_index_{k}"))
    switch, scaled, part = (f"edgeq_{word}_{k}" for word in ("switch", "scaled", "part"))
    graph.node.append(helper.make_node("Gather", [SWITCHES, f"edgeq_index_{k}"], [switch]))
    graph.node.append(helper.make_node("Mul", [error, switch], [scaled]))
    if shape:
        graph.node.append(helper.make_node("Reshape", [scaled, shape], [part]))
    graph.node.append(helper.make_node("Add", [float_tensor, part if shape else scaled], [mixed]))
