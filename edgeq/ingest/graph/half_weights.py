"""Constants that are stored in float16 or bfloat16 and computed in float32 become what they stand for: float32.

Exporters write such files to halve them. The network is one in float32, and its weights can be quantized.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from edgeq.ingest.graph.fold import constant_makers, most_bytes, nodes_for, sources, stored_in
from edgeq.ingest.graph.subgraphs import nodes
from edgeq.ingest.graph.trial import run

if TYPE_CHECKING:
    from numpy import ndarray
    from onnx import ModelProto, NodeProto


def computes_in_halves(model: "ModelProto") -> bool:
    """Whether a node that is no constant reads a constant of halves as it is stored."""
    halves, makers = _halves(model), constant_makers(model)
    for name, node in makers.items():
        if node.op_type != "Cast" and any(i in halves for i in node.input):
            halves.add(name)
    return any(i in halves for node in _run(model, set(makers)) for i in node.input)


def widened(model: "ModelProto") -> "tuple[ModelProto, tuple[str, ...]]":
    """A copy that stores what the Casts of such constants to float32 give, and the names of these tensors; `model` itself
    where there are none. Each constant may take twice its bytes; a tensor that needs more stays computed. Raises
    CannotRun.
    """
    from onnx import ModelProto, numpy_helper

    values = _that_fit(model, _values(model))
    if not values:
        return model, ()
    copy = ModelProto()
    copy.CopyFrom(model)
    _keep(copy, [node for node in copy.graph.node if not set(node.output) & values.keys()])
    copy.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in values.items())
    _drop_unread(copy, set(constant_makers(model)))
    return copy, tuple(values)


def _values(model: "ModelProto") -> "dict[str, ndarray]":
    from onnx import ModelProto, TensorProto, helper

    halves, makers = _halves(model), constant_makers(model)
    given = {output.name for output in model.graph.output}
    casts = [
        name
        for name, node in makers.items()
        if node.op_type == "Cast"
        and any(a.name == "to" and a.i == TensorProto.FLOAT for a in node.attribute)
        and name not in given
        and sources(name, makers) & halves
    ]
    if not casts:
        return {}
    needed = {o for name in casts for node in nodes_for(name, makers) for o in node.output}
    part = ModelProto()
    part.CopyFrom(model)
    _keep(part, [node for node in part.graph.node if set(node.output) & needed])
    del part.graph.input[:], part.graph.output[:]
    part.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in casts)
    return dict(zip(casts, run(part, {}), strict=True))


def _that_fit(model: "ModelProto", values: "dict[str, ndarray]") -> "dict[str, ndarray]":
    halves = _halves(model)
    room = (
        most_bytes(model)
        - model.ByteSize()
        + sum(2 * t.ByteSize() for t in stored_in(model) if t.name in halves)
    )
    fit = {}
    for name, value in values.items():
        if value.nbytes <= room:
            room -= value.nbytes
            fit[name] = value
    return fit


def _halves(model: "ModelProto") -> set[str]:
    from onnx import TensorProto

    kinds = (TensorProto.FLOAT16, TensorProto.BFLOAT16)
    return {t.name for t in stored_in(model) if t.data_type in kinds}


def _run(model: "ModelProto", constant: set[str]) -> "Iterator[NodeProto]":
    return (node for node in nodes(model) if not set(node.output) & constant)


def _drop_unread(model: "ModelProto", constant: set[str]) -> None:
    """What computed constants that nobody reads now, and the tensors that it was computed from."""
    read = {i for node in _run(model, constant) for i in node.input} | {o.name for o in model.graph.output}
    makers = constant_makers(model)
    needed = {
        i for name in read for node in nodes_for(name, makers) for i in (*node.input, *node.output)
    } | read
    _keep(model, [n for n in model.graph.node if n.output[0] not in makers or set(n.output) & needed])
    kept = [t for t in model.graph.initializer if t.name in needed]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)


def _keep(model: "ModelProto", kept: "list[NodeProto]") -> None:
    copies = [type(node).FromString(node.SerializeToString()) for node in kept]
    del model.graph.node[:]
    model.graph.node.extend(copies)
