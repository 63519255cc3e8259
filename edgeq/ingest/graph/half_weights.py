"""Converts constants that are stored in float16 or bfloat16 and computed in float32 to float32.

Exporters write such files to halve them. The network is one in float32, and its weights can be quantized.
"""

from collections.abc import Iterator, Set
from typing import TYPE_CHECKING

from edgeq.graphs.onnx_edit import copied, set_initializers, set_nodes
from edgeq.graphs.onnx_index import OnnxIndex, index_of, model_nodes
from edgeq.graphs.stages import part_of
from edgeq.graphs.weightless import message_bytes
from edgeq.ingest.graph.fold import constant_makers, most_bytes, sources
from edgeq.ingest.graph.trial import run

if TYPE_CHECKING:
    from numpy import ndarray
    from onnx import ModelProto, NodeProto


def computes_in_halves(model: "ModelProto") -> bool:
    """Whether a node that is no constant reads a constant of halves as it is stored."""
    index = index_of(model.graph)
    halves, makers = _halves(index), constant_makers(index)
    for name, node in makers.items():
        if node.op_type != "Cast" and any(i in halves for i in node.input):
            halves.add(name)
    return any(i in halves for node in _not_making(model, makers.keys()) for i in node.input)


def widened(model: "ModelProto") -> "tuple[ModelProto, tuple[str, ...]]":
    """A copy that stores what the Casts of such constants to float32 give, and the names of these tensors; `model` itself
    where there are none. Each constant may take twice its bytes; a tensor that needs more stays computed. Raises
    CannotRun.
    """
    from onnx import numpy_helper

    values = _that_fit(model, _values(model))
    if not values:
        return model, ()
    copy = copied(model)
    set_nodes(copy.graph, [node for node in copy.graph.node if not set(node.output) & values.keys()])
    copy.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in values.items())
    _drop_unread(copy, constant_makers(index_of(model.graph)).keys())
    return copy, tuple(values)


def _values(model: "ModelProto") -> "dict[str, ndarray]":
    from onnx import TensorProto, helper

    index = index_of(model.graph)
    halves = _halves(index)
    casts = [
        name
        for name, node in constant_makers(index).items()
        if node.op_type == "Cast"
        and any(a.name == "to" and a.i == TensorProto.FLOAT for a in node.attribute)
        and not index.is_graph_output(name)
        and sources(name, index) & halves
    ]
    if not casts:
        return {}
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in casts]
    part = part_of(model, index.ancestors(casts), [], outputs)
    return dict(zip(casts, run(part, {}), strict=True))


def _that_fit(model: "ModelProto", values: "dict[str, ndarray]") -> "dict[str, ndarray]":
    index = index_of(model.graph)
    freed = sum(2 * index.constants[name].ByteSize() for name in _halves(index))
    room = most_bytes(model) - message_bytes(model) + freed
    fit = {}
    for name, value in values.items():
        if value.nbytes <= room:
            room -= value.nbytes
            fit[name] = value
    return fit


def _halves(index: OnnxIndex) -> set[str]:
    from onnx import TensorProto

    kinds = (TensorProto.FLOAT16, TensorProto.BFLOAT16)
    return {name for name, tensor in index.constants.items() if tensor.data_type in kinds}


def _not_making(model: "ModelProto", tensors: Set[str]) -> "Iterator[NodeProto]":
    return (node for node in model_nodes(model) if not set(node.output) & tensors)


def _drop_unread(model: "ModelProto", constant: Set[str]) -> None:
    """What computed constants that nobody reads now, and the tensors that it was computed from."""
    graph, index = model.graph, index_of(model.graph)
    read = {i for node in _not_making(model, constant) for i in node.input} | {o.name for o in graph.output}
    makers = constant_makers(index)
    needed = {i for node in index.ancestors(read & makers.keys()) for i in (*node.input, *node.output)} | read
    set_nodes(graph, [n for n in graph.node if n.output[0] not in makers or set(n.output) & needed])
    set_initializers(graph, [t for t in graph.initializer if t.name in needed])
