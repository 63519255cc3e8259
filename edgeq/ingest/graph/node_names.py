"""Node names that occur twice: onnxruntime refuses them, though in ONNX they are only labels."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto


def told_apart(graph: "GraphProto") -> int:
    """How many nodes got a new name, also inside of If, Loop and Scan; the first of a name keeps it."""
    taken, seen, renamed = {node.name for node in graph.node}, set[str](), 0
    for node in graph.node:
        if node.name in seen:
            renamed += 1
            node.name = free_name(node.name, taken)
            taken.add(node.name)
        seen.update({node.name} - {""})
        for attribute in node.attribute:
            if attribute.HasField("g"):
                renamed += told_apart(attribute.g)
    return renamed


def forget_names_in_functions(model: "ModelProto") -> None:
    """onnxruntime puts a function's nodes wherever it is called, under the same names each time."""
    for function in model.functions:
        for node in function.node:
            node.name = ""


def free_name(name: str, taken: set[str]) -> str:
    """`name` with the first number behind it that gives none of `taken`."""
    number = 2
    while f"{name}_{number}" in taken:
        number += 1
    return f"{name}_{number}"
