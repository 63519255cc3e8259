"""Refuses operators that onnxruntime does not have, before the runtime fails on them."""

from typing import TYPE_CHECKING

from edgeq.errors import ModelRefused
from edgeq.graphs.onnx_index import model_nodes
from edgeq.graphs.op_sets import ONNX_DOMAINS

if TYPE_CHECKING:
    from onnx import ModelProto


def refuse_unknown_operators(model: "ModelProto", where: str) -> None:
    """Raises ModelRefused naming each unknown domain::operator and a node that uses it."""
    known = _known()
    known |= {(f.domain, f.name) for f in model.functions}
    unknown: dict[str, str] = {}
    for node in model_nodes(model):
        domain = "" if node.domain in ONNX_DOMAINS else node.domain
        if (domain, node.op_type) not in known:
            unknown.setdefault(f"{domain or 'ai.onnx'}::{node.op_type}", node.name or ", ".join(node.output))
    if not unknown:
        return
    operator, node_name = next(iter(unknown.items()))
    raise ModelRefused(
        f"{where} uses the custom operator {operator} (node {node_name!r}), which onnxruntime does not have"
        if not operator.startswith("ai.onnx::")
        else f"{where} uses the operator {operator} (node {node_name!r}), which this onnxruntime does not have",
        "export the model with standard operators only; post-processing such as custom NMS can be left to the application",
        details=[f"{op} (node {name!r})" for op, name in unknown.items()] if len(unknown) > 1 else (),
    )


def _known() -> set[tuple[str, str]]:
    """Every operator that onnxruntime has a schema for, contrib operators included."""
    from onnxruntime.capi.onnxruntime_pybind11_state import get_all_operator_schema

    return {("" if s.domain in ONNX_DOMAINS else s.domain, s.name) for s in get_all_operator_schema()}
