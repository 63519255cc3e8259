"""Moves an opset that is too old or too new, and lowers the IR version to the oldest that the opset allows.

Per-channel quantization needs opset 13; older runtimes on devices refuse a newer IR version than they know.
"""

from typing import TYPE_CHECKING

from edgeq.ingest.graph import older_resize, older_scan
from edgeq.ingest.graph.operators import ONNX_DOMAINS
from edgeq.ingest.graph.subgraphs import nodes, tensors
from edgeq.ingest.graph.trial import CannotRun

if TYPE_CHECKING:
    from onnx import ModelProto

OLDEST = 7  # the first that onnxruntime has kernels for
DYNAMIC = 11  # the first with DynamicQuantizeLinear
PER_TENSOR = 10  # the first with QuantizeLinear
NEEDED = 13  # per-axis QuantizeLinear
WANTED = 17  # onnxruntime >= 1.12 reads it; 18 changed the reductions
NEWEST = 21  # onnxruntime >= 1.18 reads it; what came later would only shut out devices
_OLDEST_IR = 8  # functions; onnxruntime >= 1.10 reads it
# The element types that came with a later IR version (onnx.proto, enum Version).
_TYPE_IR = {17: 9, 18: 9, 19: 9, 20: 9, 21: 10, 22: 10, 23: 11, 24: 12}


def opset_of(model: "ModelProto") -> int:
    return max((o.version for o in model.opset_import if o.domain in ONNX_DOMAINS), default=0)


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


def lower_ir(model: "ModelProto") -> None:
    """Sets the oldest IR version that the opset and the element types allow; drops opset imports that nothing uses."""
    from onnx import helper

    used = {"" if n.domain in ONNX_DOMAINS else n.domain for n in nodes(model)} | {""}
    kept = [o for o in model.opset_import if ("" if o.domain in ONNX_DOMAINS else o.domain) in used]
    del model.opset_import[:]
    model.opset_import.extend(sorted(kept, key=lambda o: o.domain))
    try:
        oldest = helper.find_min_ir_version_for(list(model.opset_import), ignore_unknown=True)
    except ValueError:
        return
    types = max((_TYPE_IR.get(t.data_type, 0) for t in tensors(model)), default=0)
    model.ir_version = (
        min(model.ir_version, max(oldest, types, _OLDEST_IR)) if model.ir_version > _OLDEST_IR else _OLDEST_IR
    )
