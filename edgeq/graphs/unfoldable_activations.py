"""Relu and Clip that onnxruntime's quantizer must leave where they are.

It drops one behind an operator on integers: what rounds the output, with its range, cuts off what the activation would.
That is so only where

- the activation cuts nothing that the grid holds: zero is on every grid, so a Clip has to let zero through, and its ends
  have to be constants;
- nobody reads the value as it is in between: an output of the model, and what the body of an If, Loop or Scan captures.
"""

import math
from typing import TYPE_CHECKING

import numpy as np

from .onnx_index import OnnxIndex, index_of
from .op_sets import ACTIVATIONS

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto


def unfoldable_activations(model: "ModelProto") -> frozenset[str]:
    """Names of nodes of the main graph of a model whose nodes all have names."""
    index = index_of(model.graph)
    return frozenset(
        node.name
        for node in index.nodes
        if node.op_type in ACTIVATIONS
        and (
            index.is_read_elsewhere(node.input[0])
            or index.is_captured(node.output[0])
            or not _lets_zero_through(node, index)
        )
    )


def _lets_zero_through(node: "NodeProto", index: OnnxIndex) -> bool:
    """False as well where an end is computed, or is nan."""
    if node.op_type == "Relu":
        return True
    low, high = (_end(node, *place, index) for place in (("min", 1, -math.inf), ("max", 2, math.inf)))
    return low is not None and high is not None and low <= 0 <= high


def _end(node: "NodeProto", name: str, place: int, absent: float, index: OnnxIndex) -> float | None:
    """An attribute until opset 10, an input since; None where it is no constant of one value."""
    from onnx import numpy_helper

    attribute = next((a.f for a in node.attribute if a.name == name), absent)
    name = node.input[place] if len(node.input) > place else ""
    if not name:
        return float(attribute)
    tensor = index.constant(name)
    if tensor is None or index.is_graph_input(name):
        return None  # an initializer that is an input too may be given another value
    values = np.asarray(numpy_helper.to_array(tensor))
    return float(values.reshape(-1)[0]) if values.size == 1 else None
