"""A .tflite file: its signature is read by the runtime itself, and the file is used as it is."""

import hashlib
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgeq.errors import ModelRefused
from edgeq.ingest import tflite_inspect
from edgeq.ingest.extras import missing
from edgeq.ingest.graph.random_numbers import refusal
from edgeq.ingest.request import Request
from edgeq.ingest.tflite_float import float_model
from edgeq.limited.ask import ask
from edgeq.limited.limits import for_model
from edgeq.limited.regular_file import content as content_of
from edgeq.nouns.model import Model
from edgeq.nouns.tensor import Affine, TensorSpec

TAKES = "a TFLite file (model.tflite)"
NO_ONNX = (
    "the source is TFLite, which is not converted to ONNX; give the torch or ONNX model that it was made from"
)
_IDENTIFIER = b"TFL3"


def claims(source: str) -> bool:
    return source.lower().endswith((".tflite", ".lite"))


def open_source(request: Request) -> Model:
    """Raises ModelRefused for what is no TFLite or does not run, ExtraMissing without ai-edge-litert."""
    path = Path(request.source)
    content = _read(path)
    if importlib.util.find_spec("ai_edge_litert") is None:
        raise missing("ai_edge_litert", "litert", f"opening {path}")
    file = request.path(".tflite")
    size = len(content)
    found = ask(tflite_inspect.READER, path, for_model(size), writes=2 * size, renewed=str(file.absolute()))[
        0
    ]
    if found["draws"]:
        raise refusal(", ".join(found["draws"]))
    inputs, outputs = _specs(found["inputs"]), _specs(found["outputs"])
    _refuse_other_shapes(inputs, request.shapes)
    _refuse_without_ends(inputs, outputs)
    if found["quantized"] or not found["renewed"]:
        file.write_bytes(content)
    request.look(float_model(file, inputs, outputs, quantized=bool(found["quantized"])))
    return Model(
        name=request.name,
        source=request.source,
        source_format="tflite",
        sha256=hashlib.sha256(content).hexdigest(),
        inputs=inputs,
        outputs=outputs,
        float_bytes=file.stat().st_size,
        files={"tflite": str(file)},
        absent={"onnx": NO_ONNX} if "onnx" in request.formats else {},
        quantized=found["quantized"],
        notes=_notes(found),
    )


def look(request: Request) -> None:
    """As `open_source`, which converts nothing."""
    open_source(request)


def _read(path: Path) -> bytes:
    try:
        content = content_of(path, ModelRefused)
    except OSError as error:
        raise ModelRefused(f"cannot read {path}: {error.strerror}") from None
    if content[4:8] != _IDENTIFIER:
        raise ModelRefused(
            f"{path} is not a TFLite model: the identifier TFL3 is missing at byte 4"
            + (" (it is empty)" if not content else ""),
            "copy or convert the file again",
        )
    return content


def _refuse_without_ends(inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...]) -> None:
    if not inputs or not outputs:
        raise ModelRefused(
            f"the model has no {'outputs' if inputs else 'inputs'}, so that nothing can be compared with float",
            "convert it again with the tensors that change from run to run as inputs, and its results as outputs",
        )


def _specs(found: list[dict[str, Any]]) -> tuple[TensorSpec, ...]:
    return tuple(TensorSpec(t["name"], t["dtype"], tuple(t["shape"]), _affine(t)) for t in found)


def _affine(tensor: dict[str, Any]) -> Affine | None:
    return Affine(tensor["scale"], tensor["zero_point"]) if tensor["scale"] else None


def _refuse_other_shapes(inputs: tuple[TensorSpec, ...], shapes: Mapping[str, tuple[int, ...]]) -> None:
    own = {spec.name: spec for spec in inputs}
    for name, shape in shapes.items():
        if name not in own:
            raise ModelRefused(
                f"--shape names the input {name!r}, which the model does not have",
                f"its inputs are: {', '.join(own)}",
            )
        if tuple(shape) != own[name].shape:
            raise ModelRefused(
                f"--shape {name}={','.join(map(str, shape))} is not the shape in the TFLite file: {own[name]}",
                "convert the model again with that shape; edgeq does not resize TFLite graphs",
            )


def _notes(found: dict[str, Any]) -> tuple[str, ...]:
    notes = []
    if found["renewed"] and not found["quantized"]:
        notes.append("operator codes moved from the field of schemas before 3a to the current one")
    if found["quantized"]:
        notes.append(f"already quantized ({found['quantized']}): deployed as it is")
    for role in ("inputs", "outputs"):
        for t in found[role]:
            if t["scale"]:
                notes.append(
                    f"{role[:-1]} {t['name']} is {t['dtype']}: real value = {t['scale']:.9g} * (q - {t['zero_point']})"
                )
    return tuple(notes)
