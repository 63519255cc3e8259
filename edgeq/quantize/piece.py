"""A part of an ONNX graph as a model of its own."""

from collections.abc import Sequence
from typing import Any


def piece_of(
    model: Any, nodes: Sequence[Any], inputs: Sequence[Any], outputs: Sequence[Any], tensors: Sequence[Any]
) -> Any:
    """`nodes` of the ModelProto `model`, with ValueInfoProtos in and out and the initialisers that they read."""
    from onnx import helper

    return helper.make_model(
        helper.make_graph(nodes, "piece", inputs, outputs, tensors),
        opset_imports=model.opset_import,
        ir_version=model.ir_version,
        functions=model.functions,
    )
