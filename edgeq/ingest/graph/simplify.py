"""Lets onnxruntime fold constants and batch norms and drop what does nothing, and keeps the result if it is plain ONNX."""

from collections.abc import Set
from typing import TYPE_CHECKING

from edgeq.graphs.onnx_edit import free_name
from edgeq.graphs.onnx_index import model_nodes, tensor_names
from edgeq.graphs.op_sets import ONNX_DOMAINS
from edgeq.graphs.ort_session import optimized
from edgeq.ingest.graph.trial import CannotRun, runtime_words

if TYPE_CHECKING:
    from onnx import ModelProto


def simplified(model: "ModelProto", taken: Set[str] = frozenset()) -> "ModelProto":
    """onnxruntime's basic optimisations, which are the ones that hold on every CPU. `taken` are names that no new tensor
    may have, besides those of `model`. Raises CannotRun.
    """
    try:
        return _renamed(optimized(model, "basic"), tensor_names(model) | taken)
    except Exception as error:
        raise CannotRun(runtime_words(error)) from None


def _renamed(model: "ModelProto", before: Set[str]) -> "ModelProto":
    """With initialisers that are not among the names `before` under ones that onnxruntime does not give: its fusions take
    "gemm_input_shape" and the like whether there is one already or not, and then refuse the graph.
    """
    taken, new = {*before, *tensor_names(model)}, dict[str, str]()
    for initializer in model.graph.initializer:
        if initializer.name not in before:
            new[initializer.name] = initializer.name = free_name(initializer.name, taken)
    for node in model_nodes(model):
        node.input[:] = [new.get(name, name) for name in node.input]
    return model


def foreign_operators(before: "ModelProto", after: "ModelProto") -> set[str]:
    """Operators outside ONNX that the optimisation brought in; another runtime would not know them."""
    had = {n.domain for n in model_nodes(before)}
    return {f"{n.domain}::{n.op_type}" for n in model_nodes(after) if n.domain not in (*ONNX_DOMAINS, *had)}


def strip_metadata(model: "ModelProto") -> None:
    """Removes text that says how and where a graph was exported: it names paths, and differs from run to run."""
    model.doc_string = ""
    model.graph.doc_string = ""
    del model.metadata_props[:]
    for holder in (
        model.graph,
        *model_nodes(model),
        *model.graph.value_info,
        *model.graph.input,
        *model.graph.output,
    ):
        holder.doc_string = ""
        if hasattr(holder, "metadata_props"):
            del holder.metadata_props[:]
