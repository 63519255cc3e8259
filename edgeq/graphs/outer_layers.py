"""The first and the last layers with weights of a graph: those that an input reaches, or that reach an output, by way of no other."""

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from edgeq.graphs.onnx_index import OnnxIndex, names_read
from edgeq.graphs.op_sets import HEAVY
from edgeq.graphs.tflite import kind_of

if TYPE_CHECKING:
    from ai_edge_litert.schema_py_generated import ModelT
    from onnx import NodeProto

_TFLITE = ("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "FULLY_CONNECTED", "BATCH_MATMUL")


def outer_layers(index: OnnxIndex) -> set[str]:
    """By node, of stored weights in float or behind a DequantizeLinear."""
    return _first(index) | _last(index)


def outer_tflite_layers(model: "ModelT") -> set[int]:
    """Of the main graph, the first output tensor of each."""
    graph = model.subgraphs[0]
    steps = [
        (_is_tflite_layer(model, o), [int(i) for i in o.inputs], [int(i) for i in o.outputs])
        for o in graph.operators
    ]
    forward = _reached(steps, graph.inputs)
    backward = _reached(
        [(layer, outputs, inputs) for layer, inputs, outputs in reversed(steps)], graph.outputs
    )
    return {steps[k][2][0] for k in forward} | {steps[-1 - k][2][0] for k in backward}


def _reached(steps: list[tuple[bool, list[int], list[int]]], tensors: Iterable[int]) -> list[int]:
    """The layers among `steps`, in their order, that are the first on a way from `tensors`."""
    known, found = set(map(int, tensors)), []
    for k, (layer, near, far) in enumerate(steps):
        if known.isdisjoint(near):
            continue
        if layer:
            found.append(k)
        else:
            known.update(far)
    return found


def _is_tflite_layer(model: "ModelT", operator: Any) -> bool:
    graph = model.subgraphs[0]
    stored = [
        i for i in operator.inputs if i >= 0 and model.buffers[graph.tensors[i].buffer].data is not None
    ]
    return kind_of(model, operator) in _TFLITE and bool(stored)


def _first(index: OnnxIndex) -> set[str]:
    """Layers that an input of the graph reaches by way of no other layer."""
    inputs = [i.name for i in index.graph.input if index.initializer(i.name) is None]
    return _walk(index, inputs, lambda name: ((n, n.output) for n, _ in index.uses(name)))


def _last(index: OnnxIndex) -> set[str]:
    """Layers that reach an output of the graph by way of no other layer."""

    def behind(name: str) -> "Iterator[tuple[NodeProto, Iterable[str]]]":
        node = index.producer(name)
        return iter(()) if node is None else iter([(node, names_read(node))])

    return _walk(index, [o.name for o in index.graph.output], behind)


def _walk(
    index: OnnxIndex,
    tensors: list[str],
    onward: "Callable[[str], Iterable[tuple[NodeProto, Iterable[str]]]]",
) -> set[str]:
    """The first layers on every way from `tensors`."""
    left, known, found = list(tensors), set(tensors), set[str]()
    while left:
        for node, following in onward(left.pop()):
            if _has_weights(index, node):
                found.add(node.name)
                continue
            new = set(following) - known
            known |= new
            left += new
    return found


def _has_weights(index: OnnxIndex, node: "NodeProto") -> bool:
    """Stored ones, in float or behind a DequantizeLinear."""
    return node.op_type in HEAVY and any(_is_stored(index, name) for name in node.input[1:])


def _is_stored(index: OnnxIndex, name: str) -> bool:
    maker = index.producer(name)
    if maker is not None and maker.op_type == "DequantizeLinear":
        return maker.input[0] in index.constants
    return name in index.constants
