"""Operators that are functions of others, by the ONNX standard or by the file itself, written out as those: Attention, for one.

Only those without a torch counterpart of their own. Schema functions are written out by onnx 1.20 and newer.
"""

import inspect

import onnx
from onnx import inliner

from edgeq.graphs.onnx_io import opset_of
from edgeq.graphs.op_sets import ONNX_DOMAINS

from .operators import has_counterpart


def written_out(model: onnx.ModelProto) -> onnx.ModelProto:
    """Every such operator whose parts have a counterpart, all of them; the others are left for whoever refuses them by name.
    `model` itself is not changed.
    """
    unknown = _unknown(model)
    for operator in sorted(unknown):
        inlined = _inlined(model, operator)
        if inlined is None or operator in _unknown(inlined):
            continue
        inlined = written_out(inlined)
        if _unknown(inlined) < unknown:
            model, unknown = inlined, _unknown(inlined)
    return model


def _unknown(model: onnx.ModelProto) -> set[tuple[str, str]]:
    """Domain and name of operators without a counterpart."""
    return {(n.domain, n.op_type) for n in model.graph.node if not has_counterpart(n)}


def _inlined(model: onnx.ModelProto, operator: tuple[str, str]) -> onnx.ModelProto | None:
    """None where onnx cannot write it out: for want of a function, or of a type or attribute that the function
    depends on.
    """
    by_schema = "inline_schema_functions" in inspect.signature(inliner.inline_selected_functions).parameters
    options = {"inline_schema_functions": True} if by_schema else {}
    try:
        inlined: onnx.ModelProto = inliner.inline_selected_functions(model, [operator], **options)
    except RuntimeError:
        return None
    if not all(_has_its_attributes(node, opset_of(model)) for node in inlined.graph.node):
        return None
    _name_nodes(inlined)
    return inlined


def _has_its_attributes(node: onnx.NodeProto, opset: int) -> bool:
    """onnx 1.23 drops attributes of a function's parts that refer to one of the function that is left at its default."""
    given = {a.name for a in node.attribute}
    if node.op_type == "Constant":
        return bool(given)
    if node.domain not in ONNX_DOMAINS or not onnx.defs.has(node.op_type):
        return True
    schema = onnx.defs.get_schema(node.op_type, opset)
    return given.issuperset(name for name, a in schema.attributes.items() if a.required)


def _name_nodes(model: onnx.ModelProto) -> None:
    """By their outputs, which are unique, where the functions gave none, or the same twice."""
    taken: set[str] = set()
    for node in model.graph.node:
        if not node.name or node.name in taken:
            node.name = next(name for name in node.output if name)
        taken.add(node.name)
