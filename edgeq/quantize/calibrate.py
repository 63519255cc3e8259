"""Runs the float graph over the calibration samples and keeps what was seen of every activation, in one streaming pass.

Memory is that of one sample's activations and one `Seen` per tensor, whatever the number of samples.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.foreign import translated

from .host_run import Progress, feed, interpreter_of, no_progress
from .observers import AUTO, observer
from .observers.seen import Range, Seen
from .samples_like import SamplesLike

Ranges = dict[str, Range]

LEVELS = 256


def needs_histogram(calibrator: str) -> bool:
    """Raises TargetRefused when there is no calibrator of this name."""
    return any(observer(name).HISTOGRAM for name in (AUTO if calibrator == "auto" else (calibrator,)))


def ranges_of(seen: Mapping[str, Seen], calibrator: str) -> Ranges:
    way = observer(calibrator)
    return {name: way.range_of(s, LEVELS) for name, s in seen.items() if s.count}


def onnx_seen(
    model: Any, samples: SamplesLike, histogram: bool, *, threads: int = 1, progress: Progress = no_progress
) -> dict[str, Seen]:
    """What was seen of all float tensors of `model` (an onnx ModelProto with inferred shapes), inputs included."""
    import onnxruntime as ort

    augmented, tensors = _with_all_outputs(model)
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4
    # Layout changes would only be undone again for each tensor that is read.
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    with translated("onnxruntime does not load the float graph for calibration"):
        session = ort.InferenceSession(
            augmented.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
    inputs = [i.name for i in session.get_inputs()]
    seen = {name: Seen(histogram) for name in (*tensors, *_float_inputs(session))}
    for i in range(samples.count):
        feeds = dict(zip(inputs, samples[i], strict=True))
        with translated("the float graph does not run on a calibration sample"):
            found = session.run(tensors, feeds)
        for name, array in (*zip(tensors, found, strict=True), *feeds.items()):
            if name in seen:
                seen[name].add(np.asarray(array, np.float32))
        progress("calibrate", (i + 1) / samples.count)
    return seen


def tflite_seen(
    path: Path, samples: SamplesLike, histogram: bool, *, threads: int = 1, progress: Progress = no_progress
) -> dict[str, Seen]:
    """What was seen of all float tensors of a .tflite file, by name."""
    interpreter = interpreter_of(path, threads, keep_all=True)
    tensors: dict[str, int] = {}
    seen: dict[str, Seen] = {}
    for i in range(samples.count):
        feed(interpreter, samples[i])
        with translated("the float .tflite does not run on a calibration sample"):
            interpreter.invoke()
        if not tensors:
            tensors = _float_tensors(interpreter)
            seen = {name: Seen(histogram) for name in tensors}
        for name, index in tensors.items():
            seen[name].add(_read(interpreter, index))
        progress("calibrate", (i + 1) / samples.count)
    return seen


def _with_all_outputs(model: Any) -> tuple[Any, list[str]]:
    """A copy of the graph that returns every float tensor, and their names."""
    import onnx

    float32 = onnx.TensorProto.FLOAT
    augmented = onnx.ModelProto()
    augmented.CopyFrom(model)
    graph = augmented.graph
    typed = {v.name: v for v in (*graph.value_info, *graph.output)}
    already = {o.name for o in graph.output}
    names = [
        name
        for node in graph.node
        for name in node.output
        if name in typed and typed[name].type.tensor_type.elem_type == float32
    ]
    graph.output.extend(typed[name] for name in names if name not in already)
    return augmented, names


def _float_inputs(session: Any) -> list[str]:
    return [i.name for i in session.get_inputs() if i.type == "tensor(float)"]


def _float_tensors(interpreter: Any) -> dict[str, int]:
    """Name to index."""
    return {
        d["name"]: d["index"]
        for d in interpreter.get_tensor_details()
        if d["dtype"] is np.float32 and d["name"]
    }


def _read(interpreter: Any, index: int) -> npt.NDArray[np.float32]:
    try:
        return np.asarray(interpreter.get_tensor(index), np.float32)
    except ValueError:  # a tensor that the runtime never filled
        return np.empty(0, np.float32)
