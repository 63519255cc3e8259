"""Lets onnxruntime fold constants and batch norms and drop what does nothing, and keeps the result if it is plain ONNX."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from edgeq.ingest.graph.operators import ONNX_DOMAINS
from edgeq.ingest.graph.subgraphs import nodes
from edgeq.ingest.graph.trial import CannotRun, runtime_words

if TYPE_CHECKING:
    from onnx import ModelProto


def simplified(model: "ModelProto") -> "ModelProto":
    """onnxruntime's basic optimisations, which are the ones that hold on every CPU. Raises CannotRun."""
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
            ort.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
            return onnx.load(path)
        except Exception as error:
            raise CannotRun(runtime_words(error)) from None


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
