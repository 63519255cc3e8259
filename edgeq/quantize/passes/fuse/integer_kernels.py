"""Replaces operators by ones for which onnxruntime has fast integer kernels.

Means over an image: its integer AveragePool is scalar (FastestDet: 0.26 ms, 0.01 in float). Over the whole image it becomes a
GlobalAveragePool; elsewhere a depthwise convolution with equal weights, which 8 bits represent exactly, unless it leaves
out padding. ReduceMean has no integer kernel at all.

A Relu whose input other operators read too becomes a LeakyRelu of slope 0. A Relu that is the only reader is folded into the
output's quantization. Otherwise input and output are both quantized, and onnxruntime dequantizes, runs the Relu in float and
quantizes again. For LeakyRelu it has an integer kernel, a lookup table of 256 entries.
"""

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeq.graphs.onnx_edit import free_name
from edgeq.graphs.onnx_index import OnnxIndex, attributes, index_of, tensor_names
from edgeq.nouns.passes import AppliedChange

if TYPE_CHECKING:
    import onnx

_MOST = 16  # values in a mean: a depthwise kernel reads each of them
_AS_TABLE = (
    "as a LeakyRelu of slope 0 (an integer lookup table): other operators read its input at another scale"
)

Shape = tuple[int, ...]


def averages(model: "onnx.ModelProto", in_float: frozenset[str] = frozenset()) -> list[AppliedChange]:
    """Changes `model` in place, except for the nodes named in `in_float`."""
    index = index_of(model.graph)
    found = []
    for node in index.nodes:
        shape = tuple(d or 0 for d in index.shapes.get(node.input[0], ())) if node.input else ()
        if len(shape) != 4 or node.name in in_float:
            continue
        if node.op_type == "ReduceMean" and _is_over_the_image(node, index):
            found.append(_to_global(node, "ReduceMean"))
        elif node.op_type == "AveragePool" and all(shape[1:]):
            found += _without_pool(model, node, shape)
    return found


def _without_pool(model: "onnx.ModelProto", node: "onnx.NodeProto", shape: Shape) -> list[AppliedChange]:
    facts = attributes(node)
    kernel, pads = tuple(facts["kernel_shape"]), tuple(facts.get("pads", ()))
    if facts.get("ceil_mode") or facts.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID"):
        return []
    if kernel == shape[2:] and not any(pads):
        return [_to_global(node, "AveragePool")]
    ones = (1, 1)
    counted = facts.get("count_include_pad") or not any(pads)
    if not counted or math.prod(kernel) > _MOST or tuple(facts.get("dilations", ones)) != ones:
        return []
    return [_to_convolution(model, node, shape[1], facts)]


def _to_global(node: "onnx.NodeProto", kind: str) -> AppliedChange:
    _become(node, "GlobalAveragePool", [node.input[0]], {})
    return AppliedChange(node.name, f"as a GlobalAveragePool: onnxruntime has no fast {kind} on integers")


def _to_convolution(
    model: "onnx.ModelProto", node: "onnx.NodeProto", channels: int, facts: dict[str, Any]
) -> AppliedChange:
    import onnx

    kernel = tuple(facts["kernel_shape"])
    name = free_name(f"{node.output[0]}_equal_weights", tensor_names(model), first=0)
    weights = np.full((channels, 1, *kernel), 1 / math.prod(kernel), np.float32)
    model.graph.initializer.append(onnx.numpy_helper.from_array(weights, name))
    kept: dict[str, Any] = {key: facts[key] for key in ("kernel_shape", "pads", "strides") if key in facts}
    _become(node, "Conv", [node.input[0], name], kept | {"group": channels})
    return AppliedChange(
        node.name, "as a convolution with equal weights: onnxruntime has no fast integer AveragePool"
    )


def _become(node: "onnx.NodeProto", kind: str, inputs: list[str], facts: dict[str, Any]) -> None:
    import onnx

    node.CopyFrom(onnx.helper.make_node(kind, inputs, list(node.output), name=node.name, **facts))


def _is_over_the_image(node: "onnx.NodeProto", index: OnnxIndex) -> bool:
    """A mean over height and width that keeps both as dimensions of one."""
    import onnx

    facts = attributes(node)
    axes = facts.get("axes")
    if axes is None and len(node.input) > 1:
        stored = index.initializer(node.input[1])
        axes = None if stored is None else onnx.numpy_helper.to_array(stored).tolist()
    return axes is not None and sorted(a % 4 for a in axes) == [2, 3] and facts.get("keepdims", 1) == 1


def shared_relu(model: "onnx.ModelProto") -> list[AppliedChange]:
    """Changes `model` in place."""
    import onnx

    index = index_of(model.graph)
    found = []
    for node in index.nodes:
        tensor = node.input[0] if node.input else ""
        if (
            node.op_type != "Relu"
            or index.only_consumer(tensor) is not None
            or index.is_read_elsewhere(tensor)
        ):
            continue
        if index.producer(tensor) is None or all(n.op_type == "Relu" for n in index.consumers(tensor)):
            continue
        node.op_type = "LeakyRelu"
        node.attribute.append(onnx.helper.make_attribute("alpha", 0.0))
        found.append(AppliedChange(node.name, _AS_TABLE))
    return found
