"""An ONNX file: read, checked, cleaned, written; and converted to TFLite where that is asked for."""

from pathlib import Path

from edgeq.errors import EdgeqError, ModelRefused
from edgeq.ingest.float_model import FloatModel
from edgeq.ingest.graph.float_run import float_model
from edgeq.ingest.graph.opened import Opened, open_apart
from edgeq.ingest.onnx_to_tflite import CONVERTER, convert
from edgeq.ingest.request import Request
from edgeq.nouns.model import Model

TAKES = "an ONNX file (model.onnx)"
TO_TFLITE = f"convert to TFLite ({CONVERTER})"
_NO_CACHE = f"the source is ONNX, and there is no folder for the environment of {CONVERTER}, which makes TFLite from it"
_SEVERAL = "a .tflite file takes one shape, and the samples have several: --shape fixes one, for samples that have it"
_ONLY_OPEN = "a .tflite file takes one shape, and the graph loads only with its shapes open"


def claims(source: str) -> bool:
    return source.lower().endswith((".onnx", ".ort", ".pb"))


def open_source(request: Request) -> Model:
    """Raises ModelRefused for what onnxruntime cannot run, with the operator, input or field; where only TFLite is
    wanted, ConversionFailed for what cannot become it and ExtraMissing without what that takes."""
    cleaned = open_apart(request, request.path(".onnx"))
    request.look(_float_model(cleaned))
    files, absent, notes = _made(request, cleaned, Path(cleaned.file))
    return Model(
        name=request.name,
        source=request.source,
        source_format="onnx",
        sha256=cleaned.sha256,
        inputs=cleaned.inputs,
        outputs=cleaned.outputs,
        float_bytes=Path(next(iter(files.values()))).stat().st_size,
        files=files,
        absent=absent,
        quantized=cleaned.quantized,
        notes=(*cleaned.notes, *notes),
        varied=cleaned.varied,
        kept_opset=cleaned.kept_opset,
    )


def look(request: Request) -> None:
    """Opens the source and hands it to `request.look`; converts nothing. Raises ModelRefused."""
    request.look(_float_model(open_apart(request, request.path(".onnx"))))


def _float_model(cleaned: Opened) -> FloatModel:
    return float_model(Path(cleaned.file), cleaned.inputs, cleaned.outputs, quantized=bool(cleaned.quantized))


def _made(
    request: Request, cleaned: Opened, graph: Path
) -> tuple[dict[str, str], dict[str, str], tuple[str, ...]]:
    """The files by format, what is absent with the reason, and notes. Raises where no format is left."""
    files = {"onnx": str(graph)} if "onnx" in request.formats else {}
    if "tflite" not in request.formats:
        return files, {}, ()
    refused = _why_no_tflite(request, cleaned)
    if refused is not None:
        if not files:
            raise refused
        return files, {"tflite": refused.what}, ()
    try:
        made, figure = _to_tflite(request, cleaned, graph)
    except EdgeqError as error:
        if not files:
            raise
        why = f"{error.what}; {error.remedy}" if error.remedy else error.what
        return (
            files,
            {"tflite": why},
            (f"no TFLite graph: {why}. --runtime onnxruntime does not ask for one",),
        )
    return {**files, "tflite": str(made)}, {}, (f"TFLite made by {CONVERTER}: {_figure(figure)}",)


def _why_no_tflite(request: Request, cleaned: Opened) -> ModelRefused | None:
    """Known before anything is tried."""
    if cleaned.varied is not None:
        why = _SEVERAL if cleaned.varied.shapes > 1 else _ONLY_OPEN
        return ModelRefused(f"{request.name}: {why}", "--runtime onnxruntime takes it")
    if cleaned.quantized:
        return ModelRefused(
            f"{request.name} is quantized already ({cleaned.quantized}), in a way that TFLite does not support",
            "give the float model",
        )
    if not cleaned.inlined:
        return ModelRefused(
            f"{request.name} has more than 2 GB of weights in external files, and a .tflite file holds no more than that",
            "choose a target that has onnxruntime",
        )
    return None if request.cache is not None else ModelRefused(_NO_CACHE, "name one: Request(cache=...)")


def _to_tflite(request: Request, cleaned: Opened, graph: Path) -> tuple[Path, float]:
    assert request.cache is not None
    request.say(TO_TFLITE)
    out = request.path(".tflite")
    figure = convert(
        graph,
        out,
        inputs=cleaned.inputs,
        outputs=cleaned.outputs,
        example=request.example,
        cache=request.cache,
        say=request.say,
    )
    return out, figure


def _figure(sqnr_db: float) -> str:
    return "the same outputs as ONNX" if sqnr_db == float("inf") else f"SQNR {sqnr_db:.0f} dB against ONNX"
