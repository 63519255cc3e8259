"""What a graph with open dimensions looks like for inputs of one shape: how much it computes and holds depends on that."""

import math
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from .weightless import infer_shapes

if TYPE_CHECKING:
    from onnx import ModelProto, ValueInfoProto

Shapes = Mapping[str, tuple[int, ...]]  # by input

OPEN_SHAPES: Shapes = MappingProxyType({})  # open dimensions stay open


def sized(model: "ModelProto", shapes: Shapes) -> "ModelProto":
    """With the shapes that follow from those of its inputs inferred; `model` is changed."""
    fixed = [v for v in model.graph.input if v.name in shapes and _open(v)]
    for value in fixed:
        for dim, size in zip(value.type.tensor_type.shape.dim, shapes[value.name], strict=True):
            dim.dim_value = size
    if fixed:
        del model.graph.value_info[:]  # they were inferred for open shapes
    infer_shapes(model)
    return model


def largest(model: "ModelProto", samples: Iterable[tuple[tuple[int, ...], ...]]) -> Shapes:
    """The shapes of the sample with the most values, given those of each sample's inputs; none where no input of `model` is
    open.
    """
    stored = {i.name for i in model.graph.initializer}
    inputs = [v for v in model.graph.input if v.name not in stored]
    if not any(_open(v) for v in inputs):
        return OPEN_SHAPES
    most = max(samples, key=lambda shapes: sum(map(math.prod, shapes)))
    return dict(zip((v.name for v in inputs), most, strict=True))


def _open(value: "ValueInfoProto") -> bool:
    return any(not dim.HasField("dim_value") for dim in value.type.tensor_type.shape.dim)
