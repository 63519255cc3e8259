"""Relu and Clip that onnxruntime's quantizer must leave where they are.

It drops one behind an operator on integers: what rounds the output, with its range, cuts off what the activation would.
That is so only where

- the activation cuts nothing that the grid holds: zero is on every grid, so a Clip has to let zero through, and its ends
  have to be constants;
- nobody reads the value as it is in between: an output of the model, and what the body of an If, Loop or Scan captures.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from edgeq.quantize.names_read import names_read_inside

ACTIVATIONS = ("Relu", "Clip")


def unfoldable_activations(model: Any) -> frozenset[str]:
    """Names of nodes of the main graph of an onnx ModelProto whose nodes all have names."""
    graph = model.graph
    captured = {name for node in graph.node for name in names_read_inside(node)}
    kept = captured | {output.name for output in graph.output}
    constants = _constants(graph)
    return frozenset(
        node.name
        for node in graph.node
        if node.op_type in ACTIVATIONS
        and (node.input[0] in kept or node.output[0] in captured or not _lets_zero_through(node, constants))
    )


def _lets_zero_through(node: Any, constants: Mapping[str, Any]) -> bool:
    """False as well where an end is computed, or is nan."""
    if node.op_type == "Relu":
        return True
    low, high = (_end(node, *place, constants) for place in (("min", 1, -math.inf), ("max", 2, math.inf)))
    return low is not None and high is not None and low <= 0 <= high


def _end(node: Any, name: str, place: int, absent: float, constants: Mapping[str, Any]) -> float | None:
    """An attribute until opset 10, an input since; None where it is no constant of one value."""
    import onnx

    attribute = next((a.f for a in node.attribute if a.name == name), absent)
    tensor = node.input[place] if len(node.input) > place else ""
    if not tensor:
        return float(attribute)
    if tensor not in constants:
        return None
    values = np.asarray(onnx.numpy_helper.to_array(constants[tensor]))
    return float(values.reshape(-1)[0]) if values.size == 1 else None


def _constants(graph: Any) -> dict[str, Any]:
    """Tensors by name; an initializer that is an input too may be fed another value."""
    fed = {value.name for value in graph.input}
    stored = {i.name: i for i in graph.initializer if i.name not in fed}
    made = {
        node.output[0]: attribute.t
        for node in graph.node
        if node.op_type == "Constant"
        for attribute in node.attribute
        if attribute.name == "value"
    }
    return stored | made
