"""Keeps a MaxPool in float behind a convolution that small_convs leaves in float, by a Max without effect.

onnxruntime moves the Q behind a MaxPool before it, so that integers are pooled; behind a float convolution they have a
layout for which it has no fast kernel: FastestDet's MaxPool 3.9 ms, 0.26 in float, where the whole network takes 3.6. It
does not move a Q past a Max; past a Relu it does until 1.18, so to pool before the Relu would not help. The Max is with
the lowest float, so the result is the same to the bit.
"""

from typing import TYPE_CHECKING

import numpy as np

from edgeq.graphs.onnx_edit import free_name
from edgeq.graphs.onnx_index import OnnxIndex, index_of, tensor_names
from edgeq.nouns.passes import AppliedChange
from edgeq.quantize.passes.small_convs import PASSED_THROUGH, why_unprofitable

if TYPE_CHECKING:
    import onnx

_HOW = "in float with the small convolution before it, behind a Max without effect: onnxruntime's integer pooling is slow"


def pooled_in_float(model: "onnx.ModelProto") -> list[AppliedChange]:
    """Changes `model` in place; returns each MaxPool, and each activation before one, that has to stay in float."""
    index, taken = index_of(model.graph), tensor_names(model)
    kept = []
    for conv in (n for n in index.nodes if n.op_type == "Conv"):
        weights, chain = index.initializer(conv.input[1]), _to_pool(conv, index)
        if weights is not None and chain and why_unprofitable(conv, tuple(weights.dims)):
            _keep_apart(model.graph, chain[-1], taken)
            kept += chain
    return [AppliedChange(node.name, _HOW) for node in kept]


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
