"""Converts the opset of a graph where it is too old or too new.

Per-channel quantization needs opset 13; older runtimes on devices refuse a newer one than they know.
"""

from typing import TYPE_CHECKING

from edgeq.graphs.onnx_io import opset_of
from edgeq.ingest.graph import older_resize, older_scan
from edgeq.ingest.graph.trial import CannotRun

if TYPE_CHECKING:
    from onnx import ModelProto

OLDEST = 7  # the first that onnxruntime has kernels for
DYNAMIC = 11  # the first with DynamicQuantizeLinear
PER_TENSOR = 10  # the first with QuantizeLinear
NEEDED = 13  # per-axis QuantizeLinear
WANTED = 17  # onnxruntime >= 1.12 reads it; 18 changed the reductions
NEWEST = 21  # onnxruntime >= 1.18 reads it; what came later would only shut out devices


def moved(model: "ModelProto", version: int) -> "ModelProto":
    """A copy at opset `version`. Raises CannotRun in onnx's words where its converter has no rule."""
    from onnx import version_converter

    before = opset_of(model)
    if before == older_scan.OPSET < version:
        model = older_scan.without_batches(model)
    try:
        other = version_converter.convert_version(model, version)
    except Exception as error:  # ConvertError, RuntimeError, ValueError, TypeError: all mean that it cannot
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise CannotRun(lines[0].rpartition("failed: ")[2][:200]) from None
    if before < older_resize.SINCE <= version:
        older_resize.say_asymmetric(other)
    return other
