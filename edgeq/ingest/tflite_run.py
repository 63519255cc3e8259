"""Runs a TFLite graph on arrays, in graph order: for checking a conversion."""

import numpy as np

from edgeq.graphs.tflite_session import open_interpreter
from edgeq.ingest.extras import needed
from edgeq.limited.native_call import native_call


def run_tflite(content: bytes, inputs: tuple[np.ndarray, ...]) -> list[np.ndarray]:
    """Outputs in the order of the graph. Raises ExtraMissing without ai-edge-litert."""
    needed("ai_edge_litert.interpreter", "litert", "running TFLite")
    interpreter = open_interpreter(content, threads=1)
    for detail, array in zip(interpreter.get_input_details(), inputs, strict=True):
        interpreter.set_tensor(detail["index"], array.astype(detail["dtype"]))  # int64 may have become int32
    native_call(interpreter.invoke)
    return [interpreter.get_tensor(d["index"]) for d in interpreter.get_output_details()]
