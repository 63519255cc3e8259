"""Keeps onnxruntime from quantizing a layer that was left in float.

Since 1.21 onnxruntime gives Conv, ConvTranspose and Gemm between a DequantizeLinear and a QuantizeLinear int8 weights of its own, with
one scale for the tensor, when it loads the file (its WeightBiasQuantization): not what was calibrated, judged on the host, or trained.
It does not where the input comes from another operator. A Clip that clips nothing is one that it does not remove.
"""

from typing import TYPE_CHECKING

import numpy as np

from .onnx_edit import NodeBuilder
from .onnx_index import OnnxIndex, index_of

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

_REWRITTEN = ("Conv", "ConvTranspose", "Gemm")
_CLIPS = "stays_float"
_END = np.float32(3e38)


def keep_in_float(model: "ModelProto", layers: tuple[str, ...] = _REWRITTEN) -> None:
    """Changes `model`, a QDQ file: each of `layers`, operators, with float weights gets a Clip in front of it."""
    index = index_of(model.graph)
    for node in [n for n in index.nodes if n.op_type in layers and _is_float(index, n)]:
        made = NodeBuilder(f"{node.output[0]}.{_CLIPS}")
        ends = [made.constant(name, value) for name, value in (("low", -_END), ("high", _END))]
        node.input[0] = made.node("Clip", [node.input[0], *ends], "input")
        model.graph.node.extend(made.nodes)
        model.graph.initializer.extend(made.tensors.values())


def keeps_in_float(node: "NodeProto") -> bool:
    """Whether it is such a Clip, which computes nothing."""
    return bool(node.op_type == "Clip" and f".{_CLIPS}." in node.output[0])


def _is_float(index: OnnxIndex, node: "NodeProto") -> bool:
    maker = index.producer(node.input[0])
    return (
        maker is not None
        and maker.op_type == "DequantizeLinear"
        and len(node.input) > 1
        and index.constant(node.input[1]) is not None
    )
