"""Walks every node and tensor of a model, in subgraphs (If, Loop, Scan) and model-local functions too."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Union

if TYPE_CHECKING:
    from onnx import FunctionProto, GraphProto, ModelProto, NodeProto, TensorProto


def nodes(model: "ModelProto") -> "Iterator[NodeProto]":
    for owner in (model.graph, *model.functions):
        yield from nodes_of(owner)


def tensors(model: "ModelProto") -> "Iterator[TensorProto]":
    """Initialisers and tensor attributes."""
    yield from model.graph.initializer
    for node in nodes(model):
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
            for graph in (*([attribute.g] if attribute.HasField("g") else ()), *attribute.graphs):
                yield from graph.initializer


def nodes_of(owner: "Union[GraphProto, FunctionProto]") -> "Iterator[NodeProto]":
    """Its own nodes and those of the graphs inside them; not those of the functions that they call."""
    for node in owner.node:
        yield node
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from nodes_of(attribute.g)
            for graph in attribute.graphs:
                yield from nodes_of(graph)
