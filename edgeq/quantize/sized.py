"""What a graph with open dimensions looks like for inputs of one shape: how much it computes and holds depends on that."""

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgeq.quantize.samples import SamplesLike

Shapes = Mapping[str, tuple[int, ...]]  # by input

AS_IT_IS: Shapes = MappingProxyType({})


def sized(model: Any, shapes: Shapes) -> Any:
    """`model` (an onnx ModelProto, changed in place) with the shapes that follow from those of its inputs inferred."""
    import onnx

    fixed = [v for v in model.graph.input if v.name in shapes and _open(v)]
    for value in fixed:
        for dim, size in zip(value.type.tensor_type.shape.dim, shapes[value.name], strict=True):
            dim.dim_value = size
    if fixed:
        del model.graph.value_info[:]  # they were inferred for open shapes
    return onnx.shape_inference.infer_shapes(model, data_prop=True)


def largest(model: Any, samples: "SamplesLike") -> Shapes:
    """The shapes of the sample with the most values; nothing where no input of `model` is open."""
    stored = {i.name for i in model.graph.initializer}
    inputs = [v for v in model.graph.input if v.name not in stored]
    if not any(_open(v) for v in inputs):
        return AS_IT_IS
    found = (tuple(array.shape for array in samples[i]) for i in range(samples.count))
    most = max(found, key=lambda shapes: sum(map(math.prod, shapes)))
    return dict(zip((v.name for v in inputs), most, strict=True))


def _open(value: Any) -> bool:
    return any(not dim.HasField("dim_value") for dim in value.type.tensor_type.shape.dim)
