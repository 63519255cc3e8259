"""Finds the layers that a quantizer or a runtime refuses, so that these alone stay in float and not the whole network.

Halves of the layers are tried until single ones are left: as many tries as layers that are refused, times the logarithm
of how many there are. Nothing is tried before something was refused.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgeq.errors import ConversionFailed
from edgeq.foreign import translated
from edgeq.nouns.plan import Scheme
from edgeq.quantize import tflite_file
from edgeq.quantize.backends.litert import emit
from edgeq.quantize.backends.ort import dynamic_quantizer, qdq
from edgeq.quantize.float_graph import write
from edgeq.quantize.graph_work import DYNAMIC
from edgeq.quantize.integer_operators import INTEGER_OPERATORS
from edgeq.quantize.run_model import load
from edgeq.quantize.samples import Array

Attempt = Callable[[frozenset[str]], None]
Sample = tuple[Array, ...]

_ANY_RANGE = (-1.0, 1.0)
_WORDS = 160  # of a library's own


def refused_layers(layers: Sequence[str], attempt: Attempt) -> dict[str, str]:
    """Those of `layers` that `attempt`, which makes a file with the layers it is given in float, fails with, and why.

    Empty where it fails with none of them by itself. `attempt` raises ConversionFailed.
    """
    every = frozenset(layers)

    def search(some: Sequence[str]) -> dict[str, str]:
        try:
            attempt(every.difference(some))
            return {}
        except ConversionFailed as error:
            if len(some) == 1:
                return {some[0]: _words(error)}
        half = len(some) // 2
        return search(some[:half]) | search(some[half:])

    return search(layers) if layers else {}


def refused_in_qdq(model: Any, scheme: Scheme, sample: Sample, folder: Path) -> dict[str, str]:
    """By name the nodes of a float ModelProto that static int8 for onnxruntime cannot take."""
    path = folder / "refused.onnx"
    tensors = (*(i.name for i in model.graph.input), *(o for n in model.graph.node for o in n.output if o))
    ranges = dict.fromkeys(tensors, _ANY_RANGE)

    def attempt(leave: frozenset[str]) -> None:
        qdq.emit(model, path, scheme, ranges, leave)
        runs(path, "onnx", sample)

    return _found([n.name for n in model.graph.node if n.op_type in INTEGER_OPERATORS], attempt, path)


def refused_in_dynamic(model: Any, sample: Sample | None, folder: Path) -> dict[str, str]:
    """By name the nodes that dynamic int8 for onnxruntime cannot take; without a sample those that it cannot write."""
    path = folder / "refused.onnx"

    def attempt(leave: frozenset[str]) -> None:
        write(dynamic_quantizer.quantized(model, leave=leave), path)
        runs(path, "onnx", sample)

    return _found([n.name for n in model.graph.node if n.op_type in DYNAMIC], attempt, path)


def refused_in_tflite(source: Path, form: emit.Form | None, runtime: str, folder: Path) -> dict[str, str]:
    """By first output the operators that int8 for LiteRT cannot take; `form` None: dynamic int8."""
    path = folder / "refused.tflite"
    graph = tflite_file.read(source)
    ranges = {t.name: _ANY_RANGE for t in graph.tensors if t.type == "FLOAT32" and not t.constant}
    sample = tuple(_ones(graph.tensors[i]) for i in graph.inputs)

    def attempt(leave: frozenset[str]) -> None:
        if form is None:
            emit.emit_dynamic(source, path, runtime, leave)
        else:
            emit.emit(source, path, ranges, leave, form)
        runs(path, "tflite", sample)

    made = [graph.tensors[o.outputs[0]].name for o in graph.operators if o.outputs]
    return _found(made, attempt, path)


def runs(path: Path, format: str, sample: Sample | None) -> None:
    """Raises ConversionFailed where the runtime does not load the file, or does not run it on `sample`."""
    runner = load(path, format)
    if sample is not None:
        with translated(f"{path.name} does not run"):
            runner(sample)


def _found(layers: list[str], attempt: Attempt, path: Path) -> dict[str, str]:
    try:
        return refused_layers(layers, attempt)
    finally:
        path.unlink(missing_ok=True)


def _ones(tensor: tflite_file.Tensor) -> Array:
    dtype = np.float32 if tensor.type == "FLOAT32" else np.dtype(tensor.type.lower())
    return np.ones([max(d, 1) for d in tensor.shape], dtype)


def _words(error: ConversionFailed) -> str:
    detail = error.details[0] if error.details else error.what
    return f"{error.what}: {detail.partition(': ')[2] or detail}"[:_WORDS]
