"""A model file without a contract: what it takes and gives is read from the file itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgeq.bundle import contract as contract_bytes
from edgeq.deliver.runtimes import why_not_here
from edgeq.errors import ExtraMissing, ModelRefused, TargetRefused
from edgeq.foreign import as_conversion_failed
from edgeq.graphs.tflite_session import interpreter_of
from edgeq.graphs.weights_in_file import read_weightless
from edgeq.loaded.source import Source, written
from edgeq.model_name import model_name
from edgeq.nouns.bundle import Candidate
from edgeq.nouns.json_text import parse_json
from edgeq.nouns.tensor import Affine, TensorSpec

RUNTIMES = {".onnx": "onnxruntime", ".tflite": "litert"}
NUMPY_TYPES = (
    *(f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)),
    *("float16", "float32", "float64", "bool"),
)
AS_IT_IS = "file"  # stands for the recipe of a file that comes without one
_THREADS = 1


@dataclass(frozen=True)
class _Ends:
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]


def from_file(path: Path, candidate: str | None, folder: Path) -> Source:
    """Raises TargetRefused for a candidate, which a file does not have, ModelRefused for a file that takes or gives what is no
    array, ConversionFailed for one that is no model, ExtraMissing without LiteRT.
    """
    runtime = RUNTIMES[path.suffix.lower()]
    if candidate is not None:
        raise TargetRefused(f"{path} is a model file: there is no candidate {candidate} to choose")
    if why := why_not_here(runtime):
        what, _, remedy = why.partition(": ")
        raise ExtraMissing(f"{path} runs on {runtime}, which is {what}", remedy or None)
    ends = _onnx_ends(path) if runtime == "onnxruntime" else _tflite_ends(path)
    one = Candidate(
        id=f"{runtime}-{AS_IT_IS}",
        runtime=runtime,
        recipe=AS_IT_IS,
        model=path.name,
        inputs=tuple(spec.name for spec in ends.inputs),
        outputs=tuple(spec.name for spec in ends.outputs),
    )
    content = contract_bytes(model_name(str(path)), one, ends.inputs, ends.outputs, None, _THREADS)
    raw: Any = parse_json(content)
    for spec in (*ends.inputs, *ends.outputs):
        if spec.dtype not in NUMPY_TYPES:
            raise ModelRefused(f"{spec.name} of {path} is {spec.dtype}, which numpy does not have")
    contract = written(folder / "contract.json", {**raw, "model": str(path.resolve())})
    return Source(path, folder / "contract.json", contract, (one.id,))


def _onnx_ends(path: Path) -> _Ends:
    graph = read_weightless(path).graph
    stored = {tensor.name for tensor in graph.initializer}  # before IR 4 these are inputs too
    inputs = [_onnx_spec(value, path) for value in graph.input if value.name not in stored]
    return _Ends(tuple(inputs), tuple(_onnx_spec(value, path) for value in graph.output))


def _onnx_spec(value: Any, path: Path) -> TensorSpec:
    """Raises ModelRefused for a sequence, a map and text."""
    from onnx import helper

    tensor = value.type.tensor_type
    try:
        dtype = np.dtype(helper.tensor_dtype_to_np_dtype(tensor.elem_type)).name
    except KeyError:
        dtype = "object"
    if dtype == "object":
        raise ModelRefused(
            f"{value.name} of {path} is no array of numbers, and arrays are all that is passed"
        )
    dims = [d.dim_value if d.HasField("dim_value") else None for d in tensor.shape.dim]
    return TensorSpec(value.name, dtype, tuple(dims))


def _tflite_ends(path: Path) -> _Ends:
    interpreter = interpreter_of(path, _THREADS)
    with as_conversion_failed(f"LiteRT does not describe {path.name}"):
        return _Ends(_specs(interpreter.get_input_details()), _specs(interpreter.get_output_details()))


def _specs(details: Sequence[Any]) -> tuple[TensorSpec, ...]:
    """Open dimensions are -1 in `shape_signature`."""
    found = []
    for detail in details:
        scale, zero_point = detail["quantization"]
        shape = tuple(None if d < 0 else int(d) for d in detail["shape_signature"])
        affine = Affine(float(scale), int(zero_point)) if scale else None
        found.append(TensorSpec(detail["name"], np.dtype(detail["dtype"]).name, shape, affine))
    return tuple(found)
