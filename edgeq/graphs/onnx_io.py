"""ONNX files in and out, and which versions they are of."""

from pathlib import Path
from typing import TYPE_CHECKING

from edgeq.foreign import as_conversion_failed

from .onnx_index import model_nodes, model_tensors, nodes_within
from .op_sets import ONNX_DOMAINS

if TYPE_CHECKING:
    from onnx import ModelProto

_OLDEST_IR = 8  # functions; onnxruntime >= 1.10 reads it
_WITHOUT_INITIALIZER_INPUTS = 4  # below this IR version initializers must be listed as inputs
# The element types that came with a later IR version (onnx.proto, enum Version).
_TYPE_IR = {17: 9, 18: 9, 19: 9, 20: 9, 21: 10, 22: 10, 23: 11, 24: 12}
# (onnxruntime, the newest opset and the newest IR version that it reads): onnxruntime's compatibility table.
_READS = (
    ("1.14", 18, 8),
    ("1.16", 19, 9),
    ("1.17", 20, 9),
    ("1.18", 21, 10),
    ("1.21", 22, 10),
    ("1.22", 23, 11),
    ("1.23", 23, 12),
    ("1.24", 24, 12),
)


def read_onnx(path: Path, *, weights: bool = True) -> "ModelProto":
    """Without `weights` those in files of their own stay there. Raises ConversionFailed."""
    import onnx

    with as_conversion_failed(f"cannot read {path.name} as ONNX"):
        return onnx.load(str(path), load_external_data=weights)


def write_onnx(model: "ModelProto", path: Path) -> None:
    """With the oldest IR version that the opset allows, so that older runtimes read it too. Raises ConversionFailed."""
    import onnx

    with as_conversion_failed(f"cannot write {path.name}"):
        needed = onnx.helper.find_min_ir_version_for(list(model.opset_import), ignore_unknown=True)
        model.ir_version = max(needed, _WITHOUT_INITIALIZER_INPUTS)
        path.parent.mkdir(parents=True, exist_ok=True)
        onnx.save(model, str(path))


def external_locations(model: "ModelProto") -> list[str]:
    """The files that hold weights of the model, as it names them: "" where it gives none."""
    external = (t for t in model_tensors(model) if t.data_location == t.EXTERNAL)
    named = ({e.key: e.value for e in tensor.external_data} for tensor in external)
    return sorted({entries.get("location", "") for entries in named})


def opset_of(model: "ModelProto") -> int:
    return max((int(o.version) for o in model.opset_import if o.domain in ONNX_DOMAINS), default=0)


def lower_ir(model: "ModelProto") -> None:
    """Sets the oldest IR version that the opset and the element types allow; drops opset imports that nothing uses."""
    from onnx import helper

    used = {"" if n.domain in ONNX_DOMAINS else n.domain for n in model_nodes(model)} | {""}
    kept = [o for o in model.opset_import if ("" if o.domain in ONNX_DOMAINS else o.domain) in used]
    del model.opset_import[:]
    model.opset_import.extend(sorted(kept, key=lambda o: o.domain))
    try:
        oldest = helper.find_min_ir_version_for(list(model.opset_import), ignore_unknown=True)
    except ValueError:
        return
    types = max((_TYPE_IR.get(t.data_type, 0) for t in model_tensors(model)), default=0)
    model.ir_version = (
        min(model.ir_version, max(oldest, types, _OLDEST_IR)) if model.ir_version > _OLDEST_IR else _OLDEST_IR
    )


def oldest_runtime(model: "ModelProto") -> str:
    """The oldest onnxruntime that reads this opset and IR version, and has kernels for its weights in blocks."""
    opset, ir = opset_of(model), int(model.ir_version)
    reads = next((v for v, o, i in _READS if opset <= o and ir <= i), "1.25")
    return max(reads, _of_blocks(model), key=lambda version: int(version.partition(".")[2]))


def _of_blocks(model: "ModelProto") -> str:
    """The first onnxruntime whose kernels take the file's weights in blocks: 8 bits came to ARM with 1.23. 2 bits are read from 1.24 on,
    and multiplied as integers from 1.28 on; before, they take 70 times as long.
    """
    blocks = (n for n in nodes_within(model.graph.node) if n.op_type == "MatMulNBits")
    bits = {attribute.i for node in blocks for attribute in node.attribute if attribute.name == "bits"}
    return "1.28" if 2 in bits else "1.23" if 8 in bits else "1.17" if bits else "1.0"
