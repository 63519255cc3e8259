"""Leaves in float what follows an operator without an integer kernel behind the last layers.

Such an operator computes in float. Quantizing its output again, with no layer behind that would be faster for it, costs two
conversions and a rounding for nothing (the boxes of UltraFace: Exp, Div and Sub among Mul, Add and Concat). Softmax and
Sigmoid count as such: their integer kernels are lookup tables and no faster, and what follows often concatenates scores
and boxes, which would share a scale.
"""

from typing import TYPE_CHECKING

from edgeq.graphs.onnx_index import has_body
from edgeq.graphs.op_sets import HEAVY, INTEGER_OPERATORS

if TYPE_CHECKING:
    import onnx

_AS_WELL = ("Sigmoid", "Softmax")
_WHY = "after the last layers and an operator without a fast integer kernel: float saves two conversions"


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
            found |= {node.name: _WHY} if integer else {}
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
