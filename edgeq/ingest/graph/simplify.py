"""Lets onnxruntime fold constants and batch norms and drop what does nothing, and keeps the result if it is plain ONNX."""

import tempfile
from collections.abc import Set
from pathlib import Path
from typing import TYPE_CHECKING

from edgeq.ingest.graph.node_names import free_name
from edgeq.ingest.graph.operators import ONNX_DOMAINS
from edgeq.ingest.graph.subgraphs import nodes
from edgeq.ingest.graph.trial import CannotRun, runtime_words
from edgeq.limited.native_call import native_call

if TYPE_CHECKING:
    from onnx import ModelProto


def simplified(model: "ModelProto", taken: Set[str] = frozenset()) -> "ModelProto":
    """onnxruntime's basic optimisations, which are the ones that hold on every CPU. `taken` are names that no new tensor
    may have, besides those of `model`. Raises CannotRun.
    """
    import onnx
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.intra_op_num_threads = 1
    with tempfile.TemporaryDirectory(prefix="edgeq-") as folder:
        path = Path(folder) / "basic.onnx"
        options.optimized_model_filepath = str(path)
        try:
            content = model.SerializeToString()
            native_call(lambda: ort.InferenceSession(content, options, providers=["CPUExecutionProvider"]))
            return _renamed(onnx.load(path), names_in(model) | taken)
        except Exception as error:
            raise CannotRun(runtime_words(error)) from None


def _renamed(model: "ModelProto", before: Set[str]) -> "ModelProto":
    """With initialisers that are not among the names `before` under ones that onnxruntime does not give: its fusions take
    "gemm_input_shape" and the like whether there is one already or not, and then refuse the graph.
    """
    taken, new = {*before, *names_in(model)}, dict[str, str]()
    for initializer in model.graph.initializer:
        if initializer.name not in before:
            new[initializer.name] = initializer.name = free_name(initializer.name, taken)
    for node in nodes(model):
        node.input[:] = [new.get(name, name) for name in node.input]
    return model


def names_in(model: "ModelProto") -> set[str]:
    """Of every tensor, in subgraphs too."""
    graph = model.graph
    named = {t.name for t in (*graph.initializer, *graph.input, *graph.output)}
    return named | {name for node in nodes(model) for name in (*node.input, *node.output)}


def foreign_operators(before: "ModelProto", after: "ModelProto") -> set[str]:
    """Operators outside ONNX that the optimisation brought in; another runtime would not know them."""
    had = {n.domain for n in nodes(before)}
    return {f"{n.domain}::{n.op_type}" for n in nodes(after) if n.domain not in (*ONNX_DOMAINS, *had)}


def strip_metadata(model: "ModelProto") -> None:
    """Removes text that says how and where a graph was exported: it names paths, and differs from run to run."""
    model.doc_string = ""
    model.graph.doc_string = ""
    del model.metadata_props[:]
    for holder in (
        model.graph,
        *nodes(model),
        *model.graph.value_info,
        *model.graph.input,
        *model.graph.output,
    ):
        holder.doc_string = ""
        if hasattr(holder, "metadata_props"):
            del holder.metadata_props[:]
