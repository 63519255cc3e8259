"""Node names that occur twice: onnxruntime refuses them, though in ONNX they are only labels."""

from typing import TYPE_CHECKING

from edgeq.graphs.onnx_edit import free_name
from edgeq.graphs.onnx_index import bodies

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto


def told_apart(graph: "GraphProto") -> int:
    """How many nodes got a new name, also inside of If, Loop and Scan; the first of a name keeps it."""
    taken, seen, renamed = {node.name for node in graph.node}, set[str](), 0
    for node in graph.node:
        if node.name in seen:
            renamed += 1
            node.name = free_name(node.name, taken)
        seen.update({node.name} - {""})
        renamed += sum(map(told_apart, bodies(node)))
    return renamed


def forget_names_in_functions(model: "ModelProto") -> None:
    """onnxruntime puts a function's nodes wherever it is called, under the same names each time."""
    for function in model.functions:
        for node in function.node:
            node.name = ""
