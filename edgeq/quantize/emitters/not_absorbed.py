"""Relu and Clip that onnxruntime's quantizer must leave where they are.

It drops those behind an operator on integers, whose scale cuts off what they would. That is wrong where their input is an
output of the model too, and where the body of an If, Loop or Scan reads it, or their output: a body gets that as it was
before it is quantized.
"""

from typing import Any

from edgeq.quantize.names_read import names_read_inside

_CUT = ("Relu", "Clip")


def not_absorbed(model: Any) -> frozenset[str]:
    """By name of the node."""
    graph = model.graph
    inside = {name for node in graph.node for name in names_read_inside(node)}
    elsewhere = inside | {output.name for output in graph.output}
    return frozenset(
        node.name
        for node in graph.node
        if node.op_type in _CUT and (node.input[0] in elsewhere or node.output[0] in inside)
    )
