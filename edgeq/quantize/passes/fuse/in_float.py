"""Leaves in float what integers would make slower.

The tail: what follows an operator without an integer kernel behind the last layers. Such an operator computes in float.
Quantizing its output again, with no layer behind that would be faster for it, costs two conversions and a rounding for
nothing (the boxes of UltraFace: Exp, Div and Sub among Mul, Add and Concat). Softmax and Sigmoid count as such: their
integer kernels are lookup tables and no faster, and what follows often concatenates scores and boxes, which would share a
scale.

A MaxPool behind a convolution that small_convs leaves in float. onnxruntime moves the Q behind a MaxPool before it, so that
integers are pooled; behind a float convolution they have a layout for which it has no fast kernel: FastestDet's MaxPool
3.9 ms, 0.26 in float, where the whole network takes 3.6. It does not move a Q past a Max; past a Relu it does until 1.18, so
to pool before the Relu would not help. The Max is with the lowest float, so the result is the same to the bit.
"""

from typing import TYPE_CHECKING

import numpy as np

from edgeq.graphs.onnx_edit import free_name
from edgeq.graphs.onnx_index import OnnxIndex, has_body, index_of, tensor_names
from edgeq.graphs.op_sets import HEAVY, INTEGER_OPERATORS
from edgeq.nouns.passes import AppliedChange
from edgeq.quantize.passes.small_convs import PASSED_THROUGH, why_unprofitable

if TYPE_CHECKING:
    import onnx

_AS_WELL = ("Sigmoid", "Softmax")
_TAIL = "after the last layers and an operator without a fast integer kernel: float saves two conversions"
_POOLED = "in float with the small convolution before it, behind a Max without effect: onnxruntime's integer pooling is slow"


def float_tail(model: "onnx.ModelProto") -> dict[str, str]:
    """Names of the nodes with an integer kernel that are better in float, and why; `model` has inferred shapes."""
    floats, before = float_tensors(model.graph), before_a_layer(model.graph)
    found: dict[str, str] = {}
    tail: set[str] = set()  # tensors
    for node in model.graph.node:
        made = set(node.output) & floats
        if not made or made & before or node.op_type in HEAVY or not set(node.input) & floats:
            continue
        integer = node.op_type in INTEGER_OPERATORS
        if not integer or node.op_type in _AS_WELL or tail & set(node.input):
            tail |= made
            found |= {node.name: _TAIL} if integer else {}
    return found


def before_a_layer(graph: "onnx.GraphProto") -> set[str]:
    """Tensors that some layer needs, directly or through other operators; a node with a body may hold a layer."""
    found: set[str] = set()
    for node in reversed(graph.node):
        if node.op_type in HEAVY or has_body(node) or found & set(node.output):
            found |= set(node.input)
    return found


def float_tensors(graph: "onnx.GraphProto") -> set[str]:
    import onnx

    values = (*graph.input, *graph.value_info, *graph.output)
    return {v.name for v in values if v.type.tensor_type.elem_type == onnx.TensorProto.FLOAT}


def pooled_in_float(model: "onnx.ModelProto") -> list[AppliedChange]:
    """Changes `model` in place; returns each MaxPool, and each activation before one, that has to stay in float."""
    index, taken = index_of(model.graph), tensor_names(model)
    kept = []
    for conv in (n for n in index.nodes if n.op_type == "Conv"):
        weights, chain = index.initializer(conv.input[1]), _to_pool(conv, index)
        if weights is not None and chain and why_unprofitable(conv, tuple(weights.dims)):
            _keep_apart(model.graph, chain[-1], taken)
            kept += chain
    return [AppliedChange(node.name, _POOLED) for node in kept]


def _to_pool(conv: "onnx.NodeProto", index: OnnxIndex) -> list["onnx.NodeProto"]:
    """The nodes from `conv` to a MaxPool, with the latter; empty where none follows, or a Max is behind it already."""
    chain: list[onnx.NodeProto] = []
    node = index.only_consumer(conv.output[0])
    while node is not None and node.op_type in PASSED_THROUGH:
        chain.append(node)
        node = index.only_consumer(node.output[0])
    if node is None or node.op_type != "MaxPool" or len(node.output) > 1:
        return []
    behind = index.only_consumer(node.output[0])
    return [] if behind is not None and behind.op_type == "Max" else [*chain, node]


def _keep_apart(graph: "onnx.GraphProto", pool: "onnx.NodeProto", taken: set[str]) -> None:
    import onnx

    result, floor = pool.output[0], free_name("lowest_float", taken, first=0)
    pool.output[0] = free_name(f"{result}_pooled", taken, first=0)
    lowest = np.array(np.finfo(np.float32).min, np.float32)
    graph.initializer.append(onnx.numpy_helper.from_array(lowest, floor))
    barrier = onnx.helper.make_node("Max", [pool.output[0], floor], [result], name=f"{pool.name}_apart")
    graph.node.insert(next(k for k, n in enumerate(graph.node) if n is pool) + 1, barrier)
