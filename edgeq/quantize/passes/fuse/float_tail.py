"""Operators behind the last layers that have no integer kernel, and all that follows them there, in float.

An operator without one gets floats. What it makes would be rounded again only to reach the next integer operator, with no
layer behind that gains by it: two conversions and a rounding for nothing (the boxes of UltraFace: Exp, Div and Sub among
Mul, Add and Concat). Softmax and Sigmoid count among them: their integer kernels are tables and no faster, and what
follows them often joins scores with boxes, in one scale for both.
"""

from typing import Any

from edgeq.quantize.graph_work import HEAVY
from edgeq.quantize.integer_operators import INTEGER_OPERATORS

_AS_WELL = ("Sigmoid", "Softmax")
_WHY = "after the last layers and an operator without a fast integer kernel: float saves two conversions"


def float_tail(model: Any) -> dict[str, str]:
    """Names of operators with an integer kernel, in an onnx ModelProto with inferred shapes, that are better in float, and
    why.
    """
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
            found |= {node.name: _WHY} if integer else {}
    return found


def before_a_layer(graph: Any) -> set[str]:
    """Tensors that some layer needs, be it through other operators; a node with a graph inside may hold one."""
    found: set[str] = set()
    for node in reversed(graph.node):
        inside = any(a.HasField("g") or a.graphs for a in node.attribute)
        if node.op_type in HEAVY or inside or found & set(node.output):
            found |= set(node.input)
    return found


def float_tensors(graph: Any) -> set[str]:
    import onnx

    values = (*graph.input, *graph.value_info, *graph.output)
    return {v.name for v in values if v.type.tensor_type.elem_type == onnx.TensorProto.FLOAT}
