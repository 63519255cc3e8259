"""What became of a candidate's layers, read from its file: kernels, layers in float, whether anything was quantized at all."""

from pathlib import Path

from edgeq.nouns.fidelity import FusionAudit
from edgeq.nouns.plan import Skipped
from edgeq.quantize.audit import float_layers
from edgeq.quantize.audit.is_noop import onnx_untouched, tflite_untouched
from edgeq.quantize.audit.kernels import onnx_fusion
from edgeq.quantize.audit.tflite_kernels import tflite_fusion
from edgeq.quantize.quantization import Quantization


def layers_in_float(q: Quantization, path: Path) -> tuple[Skipped, ...]:
    """Every layer of the file at `path` that computes in float, with the reason."""
    reasons = {**q.in_float, **q.by_choice}
    match q.method, q.format:
        case "static", "onnx":
            found = float_layers.onnx_static(path, reasons)
        case "static", _:
            found = float_layers.tflite_static(path, reasons)
        case "dynamic", "onnx":
            found = float_layers.onnx_dynamic(path, reasons)
        case "dynamic", _:
            found = float_layers.tflite_dynamic(path, reasons)
        case "blockwise", _:
            found = float_layers.onnx_blockwise(path)
        case "cast", _:
            found = float_layers.onnx_half(path)
        case _:
            found = ()
    return (*q.left, *found)


def kernels(q: Quantization, path: Path) -> tuple[FusionAudit, ...]:
    """How many of each kind of layer run on integers; none are counted of a float file."""
    if q.candidate.recipe == "float" or q.method == "cast":
        return ()
    if q.format == "tflite":
        return tflite_fusion(path, dynamic=q.method == "dynamic")
    return onnx_fusion(path, q.scheme if q.method == "static" else None)


def has_integer_kernels(q: Quantization, path: Path) -> bool:
    return any(audit.integer for audit in kernels(q, path))


def is_noop(q: Quantization, path: Path) -> bool:
    """Whether the recipe found nothing to quantize, so that the file is float over again."""
    if q.method == "none" or q.rewritten:
        return False
    return onnx_untouched(path) if q.format == "onnx" else tflite_untouched(q.source, path)
