"""Recognizes a graph that is already quantized."""

from collections import Counter
from typing import TYPE_CHECKING

from edgeq.graphs.onnx_index import model_nodes
from edgeq.graphs.op_sets import DYNAMIC_KERNELS, LOW_BIT_KERNELS

if TYPE_CHECKING:
    from onnx import ModelProto, TensorProto


def quantized_words(model: "ModelProto") -> str | None:
    """ "QDQ int8", "QOperator uint8", "dynamic int8", "MatMulNBits 4 bit"..., or None for a float graph."""
    counts = Counter(n.op_type for n in model_nodes(model))
    if low := sorted(counts.keys() & LOW_BIT_KERNELS):
        return f"{low[0]}{_bits(model, low[0])}"
    if any(
        op.startswith("QLinear") or op in ("QGemm", "QAttention", "QEmbedLayerNormalization") for op in counts
    ):
        return f"QOperator {_storage(model)}"
    if counts.keys() & DYNAMIC_KERNELS:
        return f"dynamic {_storage(model)}"
    if counts["QuantizeLinear"] or counts["DequantizeLinear"]:
        only_weights = "" if counts["QuantizeLinear"] else " weights only"
        return f"QDQ {_storage(model)}{only_weights}"
    return None


def _bits(model: "ModelProto", operator: str) -> str:
    bits = {a.i for n in model_nodes(model) if n.op_type == operator for a in n.attribute if a.name == "bits"}
    return f" {'/'.join(map(str, sorted(bits)))} bit" if bits else ""


def _storage(model: "ModelProto") -> str:
    """The integer type that most of the stored weights have."""
    from onnx import TensorProto

    sizes: Counter[str] = Counter()
    for tensor in model.graph.initializer:
        name = TensorProto.DataType.Name(tensor.data_type).lower()
        if name.startswith(("int", "uint", "float8", "float4")) and name not in ("int64", "int32"):
            sizes[name] += _elements(tensor)
    return sizes.most_common(1)[0][0] if sizes else "int8"


def _elements(tensor: "TensorProto") -> int:
    count = 1
    for d in tensor.dims:
        count *= d
    return count
