"""An ONNX file: read, checked, cleaned, written."""

from pathlib import Path

from edgeq.ingest.graph.clean import clean
from edgeq.ingest.graph.operators import refuse_unknown_operators
from edgeq.ingest.graph.read import digest, read, write
from edgeq.ingest.request import Request
from edgeq.nouns.model import Model

TAKES = "an ONNX file (model.onnx)"
NO_TFLITE = "the source is ONNX; TFLite is made from torch (file.pt2, or file.py:factory with --weights) and from .tflite files"


def claims(source: str) -> bool:
    return source.lower().endswith((".onnx", ".ort", ".pb"))


def open_source(request: Request) -> Model:
    """Raises ModelRefused for what onnxruntime cannot run, with the operator, input or field."""
    path = Path(request.source)
    loaded = read(path)
    refuse_unknown_operators(loaded.proto, path.name)
    cleaned = clean(loaded, request.shapes, request.example)
    file = write(cleaned, request.path(".onnx"))
    return Model(
        name=request.name,
        source=request.source,
        source_format="onnx",
        sha256=digest(loaded),
        inputs=cleaned.inputs,
        outputs=cleaned.outputs,
        float_bytes=file.stat().st_size,
        files={"onnx": str(file)},
        absent={"tflite": NO_TFLITE} if "tflite" in request.formats else {},
        quantized=cleaned.quantized,
        notes=cleaned.notes,
    )
