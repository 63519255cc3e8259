"""ONNX files in onnxruntime, on the CPU alone."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from . import Session

if TYPE_CHECKING:
    import numpy as np

# onnxruntime's own names for element types, numpy's on the right, where a cast within one kind loses nothing we need.
_NUMPY_TYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    "tensor(int64)": "int64",
    "tensor(int32)": "int32",
}


def version() -> str:
    import onnxruntime

    # Wheels from 1.31 on carry telemetry; a device that measures does not phone home.
    getattr(onnxruntime, "disable_telemetry_events", lambda: None)()
    return str(onnxruntime.__version__)


def open_session(path: str, threads: int, inputs: Sequence[str], outputs: Sequence[str]) -> Session:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 3  # errors; warnings about a model's leftovers are the converter's business
    if threads > (os.cpu_count() or 1):
        # Threads that wait by spinning would take the cores from those that work.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    types = _declared_types(session, inputs, outputs)
    names = list(outputs)

    def prepare(arrays: "Sequence[np.ndarray]") -> "dict[str, np.ndarray]":
        return {name: _as_declared(array, types[name]) for name, array in zip(inputs, arrays)}

    def run(feed: "dict[str, np.ndarray]") -> "list[np.ndarray]":
        outputs: list[np.ndarray] = session.run(names, feed)
        return outputs

    return Session(prepare, run, finish=list)


def _declared_types(session: Any, inputs: Sequence[str], outputs: Sequence[str]) -> "dict[str, str]":
    """Element type per input. Raises ValueError when the file has other names than the job says."""
    declared = {i.name: i.type for i in session.get_inputs()}
    offered = {o.name for o in session.get_outputs()}
    unknown = [n for n in inputs if n not in declared] + [n for n in outputs if n not in offered]
    unfed = [n for n in declared if n not in inputs]
    if unknown or unfed:
        raise ValueError(
            f"the model takes {', '.join(declared)} and gives {', '.join(sorted(offered))}; "
            f"the job feeds {', '.join(inputs)} and reads {', '.join(outputs)}"
        )
    return declared


def _as_declared(array: "np.ndarray", declared: str) -> "np.ndarray":
    """float64 samples for a float32 input and the like; across kinds onnxruntime itself refuses, with its words."""
    import numpy

    wanted = numpy.dtype(_NUMPY_TYPES.get(declared, array.dtype.name))
    return array.astype(wanted) if wanted.kind == array.dtype.kind else array
