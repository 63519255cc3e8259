"""A torch model: an exported program (file.pt2), or a factory (file.py:factory) with its weights."""

import importlib.util
from pathlib import Path

from edgeq.errors import EdgeqError, ExtraMissing, ModelRefused
from edgeq.ingest.extras import missing
from edgeq.ingest.graph.clean import Cleaned, clean
from edgeq.ingest.graph.read import Loaded
from edgeq.ingest.graph.write import write
from edgeq.ingest.pytorch.program import open_program
from edgeq.ingest.pytorch.traced import Program
from edgeq.ingest.request import Request
from edgeq.nouns.model import Model
from edgeq.user_code import names_code

TAKES = "a torch program (file.pt2) or factory (file.py:factory, package.module:factory) with --weights"

TO_ONNX, TO_TFLITE = "export to ONNX (torch)", "export to TFLite (litert-torch)"


def claims(source: str) -> bool:
    return source.lower().endswith((".pt2", ".pt", ".pth", ".th")) or names_code(source)


def open_source(request: Request) -> Model:
    """Raises ModelRefused: nothing to build the model from, weights that do not fit, or what torch cannot export."""
    _refuse_bare_weights(request.source)
    program = request.program or open_program(request)
    request.say(TO_ONNX)
    cleaned = _to_onnx(program)
    files: dict[str, str] = {}
    absent: dict[str, str] = {}
    notes: tuple[str, ...] = ()
    if "onnx" in request.formats or "tflite" not in request.formats:
        files["onnx"] = str(write(cleaned, request.path(".onnx")))
    if "tflite" in request.formats:
        request.say(TO_TFLITE)
        try:
            files["tflite"] = str(_to_tflite(program, request.path(".tflite")))
        except EdgeqError as error:
            if not files:
                raise
            if isinstance(error, ExtraMissing):
                absent["tflite"] = f"{error.what}; {error.remedy}"
            else:
                absent["tflite"] = error.what
                notes = (f"without LiteRT: {error.what}",)
    return Model(
        name=request.name,
        source=request.source,
        source_format="torch",
        sha256=program.sha256,
        inputs=cleaned.inputs,
        outputs=cleaned.outputs,
        float_bytes=Path(next(iter(files.values()))).stat().st_size,
        files=files,
        absent=absent,
        quantized=None,
        notes=(*program.notes, *cleaned.notes, *notes),
    )


def look(request: Request) -> None:
    """Builds or loads the module and hands it to `request.look`; exports nothing. Raises ModelRefused."""
    from edgeq.ingest.pytorch.program import look_at_module

    _refuse_bare_weights(request.source)
    look_at_module(request)


def _to_onnx(program: Program) -> Cleaned:
    """Always made: it is the signature, even where only TFLite is wanted."""
    from edgeq.ingest.pytorch.to_onnx import to_onnx

    cleaned = clean(Loaded(to_onnx(program), None), {}, program.arrays)
    program.refuse_difference("ONNX", cleaned.proto)
    return cleaned


def _to_tflite(program: Program, path: Path) -> Path:
    from edgeq.ingest.pytorch.to_tflite import to_tflite

    require_tflite()
    return to_tflite(program, path)


def require_tflite() -> None:
    """Raises ExtraMissing where what makes TFLite of torch is not installed."""
    if importlib.util.find_spec("litert_torch") is None:
        raise missing("litert_torch", "android", "converting torch to TFLite")


def _refuse_bare_weights(source: str) -> None:
    if source.lower().endswith((".pt", ".pth", ".th")) and not names_code(source):
        raise ModelRefused(
            f"{source} holds weights, not the model that they belong to",
            f"name the code that builds it: edgeq deploy file.py:factory --weights {source}, "
            "or save the whole program with torch.export.save(torch.export.export(model, (x,)), 'model.pt2')",
        )
