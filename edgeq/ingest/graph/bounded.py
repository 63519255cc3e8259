"""Refuses a small file whose graph expands without bound, before onnx or onnxruntime expand and allocate it."""

import math
from collections.abc import Iterable, Sized
from typing import TYPE_CHECKING

from edgeq.errors import ModelRefused
from edgeq.graphs.onnx_index import model_tensors, nodes_within

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto

MOST_NODES = (
    2_000_000  # once every function is written out; the largest language models have some ten thousand
)
_MOST_VALUES = 1 << 40  # of one input: 4 TB in float32
_VALUES_PER_BYTE = 8  # no element type packs more than that

_Key = tuple[str, str]


def refuse_unbounded(model: "ModelProto", where: str) -> None:
    """Raises ModelRefused: functions that call themselves or expand to more than MOST_NODES, an input of more than 2**40
    values, a tensor that declares more values than it holds bytes for.
    """
    _refuse_expansion(model, where)
    for value in model.graph.input:
        dims = [d.dim_value for d in value.type.tensor_type.shape.dim if d.HasField("dim_value")]
        if math.prod(d for d in dims if d > 0) > _MOST_VALUES:
            raise ModelRefused(
                f"{where}: the input {value.name!r} has the shape {'x'.join(map(str, dims))}, which does not fit in memory",
                "export the model again with the sizes of a real sample",
            )
    for tensor in model_tensors(model):
        _refuse_hollow(tensor, where)


def _refuse_expansion(model: "ModelProto", where: str) -> None:
    """Counts each function once, from its own calls, whoever calls it and how often. Overloads count as one function."""
    bodies: dict[_Key, list[NodeProto]] = {}
    for function in model.functions:
        bodies.setdefault((function.domain, function.name), []).extend(nodes_within(function.node))
    known: dict[_Key, int] = {}
    for start in bodies:
        _count_below(start, bodies, known, where)
    whole = _expanded(nodes_within(model.graph.node), known)
    if max((whole, *known.values())) > MOST_NODES:
        raise ModelRefused(
            f"{where}: its functions expand to more than {MOST_NODES:,} nodes",
            "export the model without model-local functions that call each other",
        )


def _count_below(
    start: _Key, bodies: "dict[_Key, list[NodeProto]]", known: dict[_Key, int], where: str
) -> None:
    """Depth first without recursion: a chain of functions may be as long as the file."""
    stack, begun = [start], set[_Key]()
    while stack:
        at = stack[-1]
        missing = {_called(node) for node in bodies[at]} & bodies.keys() - known.keys()
        if at in known or not missing:
            known.setdefault(at, _expanded(bodies[at], known))
            stack.pop()
        elif at in begun:
            raise ModelRefused(f"{where}: the function {at[1]!r} calls itself", "export the model again")
        else:
            begun.add(at)
            stack.extend(missing)


def _expanded(nodes: "Iterable[NodeProto]", known: dict[_Key, int]) -> int:
    return sum(1 + known.get(_called(node), 0) for node in nodes)


def _called(node: "NodeProto") -> _Key:
    return node.domain, node.op_type


def _refuse_hollow(tensor: "TensorProto", where: str) -> None:
    if tensor.data_location == tensor.EXTERNAL:
        return
    values = math.prod(tensor.dims)
    held = len(tensor.raw_data) + 8 * sum(map(len, _typed(tensor)))
    if min(tensor.dims, default=0) < 0 or values > _VALUES_PER_BYTE * held:
        raise ModelRefused(
            f"{where}: the tensor {tensor.name!r} declares the shape {'x'.join(map(str, tensor.dims))} and holds "
            f"{held:,} bytes",
            "copy or export the file again",
        )


def _typed(tensor: "TensorProto") -> "Iterable[Sized]":
    return (
        tensor.float_data,
        tensor.int32_data,
        tensor.int64_data,
        tensor.double_data,
        tensor.uint64_data,
        tensor.string_data,
    )
