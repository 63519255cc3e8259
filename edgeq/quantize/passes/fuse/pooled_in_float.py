"""MaxPool behind a convolution that is too thin to gain by integers: both in float.

onnxruntime moves the Q behind a MaxPool in front of it, so that integers are pooled; behind a float convolution these lie
in an order for which it has no fast kernel: 3.9 ms for FastestDet's, 0.26 ms in float, where the whole network takes 3.6.
It does not move a Q past a Max. Until 1.18 it does past a Relu, so to pool first and cut off what is below zero then
would not do. The larger of a value and the lowest float is the value: the result is the same to the bit.
"""

from typing import Any

import numpy as np

from edgeq.nouns.fidelity import Remedy
from edgeq.quantize.passes.fuse.links import Links, free_name
from edgeq.quantize.passes.small_convs import PASSED_THROUGH, why_thin

_HOW = "in float with the small convolution before it, behind a Max without effect: onnxruntime's integer pooling is slow"


def pooled_in_float(model: Any) -> list[Remedy]:
    """Changes `model` in place; one remedy for each MaxPool, and each activation before, that have to stay in float."""
    links, graph = Links(model.graph), model.graph
    weights = {i.name: tuple(i.dims) for i in graph.initializer}
    kept = []
    for conv in [n for n in graph.node if n.op_type == "Conv" and n.input[1] in weights]:
        chain = _to_pool(conv, links)
        if chain and why_thin(conv, weights[conv.input[1]]):
            _keep_apart(graph, chain[-1])
            kept += chain
    return [Remedy(node.name, _HOW) for node in kept]


def _to_pool(conv: Any, links: Links) -> list[Any]:
    """The nodes between `conv` and a MaxPool, and this; empty where none follows, or a Max behind it already."""
    chain: list[Any] = []
    node = links.only_reader(conv.output[0])
    while node is not None and node.op_type in PASSED_THROUGH:
        chain.append(node)
        node = links.only_reader(node.output[0])
    if node is None or node.op_type != "MaxPool" or len(node.output) > 1:
        return []
    behind = links.only_reader(node.output[0])
    return [] if behind is not None and behind.op_type == "Max" else [*chain, node]


def _keep_apart(graph: Any, pool: Any) -> None:
    import onnx

    result, floor = pool.output[0], free_name(graph, "lowest_float")
    pool.output[0] = free_name(graph, f"{result}_pooled")
    lowest = np.array(np.finfo(np.float32).min, np.float32)
    graph.initializer.append(onnx.numpy_helper.from_array(lowest, floor))
    barrier = onnx.helper.make_node("Max", [pool.output[0], floor], [result], name=f"{pool.name}_apart")
    graph.node.insert(next(k for k, n in enumerate(graph.node) if n is pool) + 1, barrier)
