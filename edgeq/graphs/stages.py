"""Parts of an ONNX graph as models of their own, cut at tensors."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from .onnx_edit import copied
from .onnx_index import names_read

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, ValueInfoProto


def ending_at(model: "ModelProto", tensors: Iterable[str]) -> "ModelProto":
    """A copy whose outputs are `tensors`, each once, in this order."""
    copy = copied(model)
    del copy.graph.output[:]
    copy.graph.output.extend(untyped(name) for name in dict.fromkeys(tensors))
    return copy


def part_of(
    model: "ModelProto",
    nodes: "Sequence[NodeProto]",
    inputs: "Sequence[ValueInfoProto]",
    outputs: "Sequence[ValueInfoProto]",
) -> "ModelProto":
    """`nodes` of the graph of `model`, in running order, with the initializers that they read."""
    from onnx import helper

    read = set[str]().union(*map(names_read, nodes)) - {value.name for value in inputs}
    stored = [tensor for tensor in model.graph.initializer if tensor.name in read]
    return helper.make_model(
        helper.make_graph(nodes, "part", inputs, outputs, stored),
        opset_imports=model.opset_import,
        ir_version=model.ir_version,
        functions=model.functions,
    )


def untyped(name: str) -> "ValueInfoProto":
    """An output whose type onnxruntime infers."""
    from onnx import ValueInfoProto

    return ValueInfoProto(name=name)
