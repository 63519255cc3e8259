"""ONNX graphs without the values of their large weights: what is copied, inferred or read for its structure alone.

Such a graph says of each large initializer its name, its type and its shape, and nothing else. Shape inference reads the
values of small constants only (shapes, axes, repeats), which stay.
"""

import hashlib
import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeVar

from .onnx_index import has_body

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, TensorProto

_Proto = TypeVar("_Proto", "ModelProto", "GraphProto")

LARGE_BYTES = 64 * 1024
"""A stored matrix of as much is a weight. Vectors are biases, scales and shapes, whose values are looked at."""

_BYTES = {
    1: 4,
    2: 1,
    3: 1,
    4: 2,
    5: 2,
    6: 4,
    7: 8,
    10: 2,
    11: 8,
    12: 4,
    13: 8,
    16: 2,
}  # of a value, by TensorProto.DataType


def is_large(tensor: "TensorProto") -> bool:
    """Whether its values are LARGE_BYTES or more, in the graph itself and as raw bytes, which is how weights are stored."""
    return len(tensor.dims) > 1 and tensor.HasField("raw_data") and stored_bytes(tensor) >= LARGE_BYTES


def stored_bytes(tensor: "TensorProto") -> int:
    """Of its values, as its type and shape say: to tell its own size, protobuf writes it in memory. 0 for types that no
    weight has, and what is smaller than a byte.
    """
    size: int = math.prod(tensor.dims) * _BYTES.get(tensor.data_type, 0)
    return size


def weightless(model: "ModelProto") -> "ModelProto":
    """A copy without the values of large initializers of the main graph; nothing large is copied."""
    return with_initializers(model, (_described(t) if is_large(t) else t for t in model.graph.initializer))


def with_initializers(model: "ModelProto", tensors: "Iterable[TensorProto]") -> "ModelProto":
    """A copy whose main graph has these initializers in place of its own, which are not copied."""
    from onnx import ModelProto

    copy = ModelProto()
    _copy_but("graph", model, copy)
    _copy_but("initializer", model.graph, copy.graph)
    copy.graph.initializer.extend(tensors)
    return copy


def large_weights(model: "ModelProto") -> "dict[str, TensorProto]":
    """By name, those whose values `weightless` leaves out."""
    return {tensor.name: tensor for tensor in model.graph.initializer if is_large(tensor)}


def with_weights(graph: "ModelProto", model: "ModelProto") -> None:
    """Puts the values of `model` into `graph`, a weightless copy of it."""
    stored = large_weights(model)
    for tensor in graph.graph.initializer:
        if tensor.name in stored:
            tensor.raw_data = stored[tensor.name].raw_data


def message_bytes(model: "ModelProto") -> int:
    """Of the model as a file, but for the few that say how long each weight is."""
    stored = sum(map(stored_bytes, large_weights(model).values()))
    return stored + int(weightless(model).ByteSize())


def digest(model: "ModelProto") -> str:
    """sha256 of the model, weights included."""
    found = hashlib.sha256(weightless(model).SerializeToString())
    for tensor in large_weights(model).values():
        found.update(tensor.raw_data)
    return found.hexdigest()


def infer_shapes(model: "ModelProto") -> None:
    """Adds the types and shapes of inner tensors to `model`, with those that follow from constants. Raises whatever onnx
    raises. onnx itself writes, parses and copies every weight for it, five times its memory.
    """
    from onnx import shape_inference

    inferred = shape_inference.infer_shapes(weightless(model), data_prop=True).graph
    inside = ["node"] if any(map(has_body, model.graph.node)) else []
    for field in ("input", "output", "value_info", *inside):
        ours = getattr(model.graph, field)
        del ours[:]
        ours.extend(getattr(inferred, field))


def _described(tensor: "TensorProto") -> "TensorProto":
    from onnx import TensorProto

    return TensorProto(name=tensor.name, data_type=tensor.data_type, dims=tensor.dims)


def _copy_but(left_out: str, source: _Proto, target: _Proto) -> None:
    for field, value in source.ListFields():
        if field.name == left_out:
            continue
        if hasattr(value, "extend"):
            getattr(target, field.name).extend(value)
        elif field.message_type is not None:
            getattr(target, field.name).CopyFrom(value)
        else:
            setattr(target, field.name, value)
