"""Finds the operator whose outputs differ after a change of the graph: each is changed alone, on the values that it reads."""

from typing import TYPE_CHECKING, Any

import numpy as np

from edgeq.graphs.stages import ending_at, part_of, untyped
from edgeq.ingest.graph.proven import Change, Proof
from edgeq.ingest.graph.trial import CannotRun, run, same

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, ValueInfoProto

Values = dict[str, Any]


def culprit(model: "ModelProto", change: Change, proof: Proof) -> str:
    """ "Upsample 'up'", the first node of the main graph that `change` breaks; empty where none can be named."""
    feed = proof.known[0][0]
    try:
        values = feed | _values(model, feed)
    except CannotRun:
        return ""
    tried = set()
    for node in model.graph.node:
        alike = (node.op_type, *(a.SerializeToString(deterministic=True) for a in node.attribute))
        if alike not in tried and _breaks(model, node, values, change):
            return f"{node.op_type} {node.name or node.output[0]!r}"
        tried.add(alike)
    return ""


def _breaks(model: "ModelProto", node: "NodeProto", values: Values, change: Change) -> bool:
    read = dict.fromkeys(name for name in node.input if name)
    if not all(isinstance(values.get(name), np.ndarray) for name in read):
        return False
    alone = _alone(model, node, values)
    feed = {value.name: values[value.name] for value in alone.graph.input}
    try:
        before = run(alone, feed)
    except CannotRun:
        return False  # it needs what a subgraph takes from outside
    try:
        return not same(before, run(change(alone), feed))
    except CannotRun:
        return True


def _alone(model: "ModelProto", node: "NodeProto", values: Values) -> "ModelProto":
    """A model of nothing but `node`; what is stored in `model` stays stored."""
    stored = {t.name for t in model.graph.initializer}
    read = dict.fromkeys(name for name in node.input if name and name not in stored)
    inputs = [_typed(name, values) for name in read]
    return part_of(model, [node], inputs, [_typed(name, values) for name in node.output if name])


def _typed(name: str, values: Values) -> "ValueInfoProto":
    from onnx import helper

    value = values.get(name)
    if not isinstance(value, np.ndarray):
        return untyped(name)
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)


def _values(model: "ModelProto", feed: dict[str, np.ndarray]) -> Values:
    """Of every tensor that a node of the main graph makes, and of every stored one."""
    from onnx import numpy_helper

    names = [o for node in model.graph.node for o in node.output if o]
    stored = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    return stored | dict(zip(names, run(ending_at(model, names), feed), strict=True))
