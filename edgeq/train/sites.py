"""What can be trained in a QDQ file: the weights of its layers, their biases, and the scales of its activations.

Reads the file alone. Which torch modules stand for the sites is for quantized_network.py.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from onnx import numpy_helper

from edgeq.graphs.onnx_index import OnnxIndex, index_of
from edgeq.graphs.op_sets import MOVES_VALUES, OWN_RANGE, SAME_ROUNDING

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class BiasSite:
    """The DequantizeLinear `node` of the int32 initializer `integers`; its scale is that of the input times that of the weight."""

    node: str
    integers: str
    scale: str


@dataclass(frozen=True)
class WeightSite:
    """The DequantizeLinear `node` of the int8 initializer `integers`, read by the node `layer`. `axis` of its scales, None: one
    scale. `input_scale`: that of the layer's input, "" where the input is float. `name` is that of the weight in the float graph.
    """

    name: str
    node: str
    layer: str
    integers: str
    scale: str
    axis: int | None
    input_scale: str
    bias: BiasSite | None


@dataclass(frozen=True)
class ActivationSite:
    """Tensors that are quantized with the same scale and zero point: the QuantizeLinear nodes, the Clip on integers behind some
    of them, and their DequantizeLinear nodes. `scales` and `zero_points`: the initializers. `q_min` and `q_max`: the integers
    that the Clip, or the type, leaves. `learned`: whether the runtime takes any scale there.
    """

    scales: tuple[str, ...]
    zero_points: tuple[str, ...]
    quantize: tuple[str, ...]
    clip: tuple[str, ...]
    dequantize: tuple[str, ...]
    q_min: int
    q_max: int
    learned: bool


@dataclass(frozen=True)
class Sites:
    weights: tuple[WeightSite, ...]
    activations: tuple[ActivationSite, ...]


def sites_of(model: "ModelProto") -> Sites:
    """Of a QDQ file, in its order. Nodes have names of their own there; the quantizer gives them."""
    index = index_of(model.graph)
    return Sites(tuple(_weights(index)), tuple(_activations(index)))


def array_of(index: OnnxIndex, name: str) -> Array:
    return np.asarray(numpy_helper.to_array(index.constants[name]))


def _weights(index: OnnxIndex) -> Iterator[WeightSite]:
    for node in index.nodes:
        if not _dequantizes_constant(index, node, "int8"):
            continue
        uses = index.uses(node.output[0])
        if len(uses) != 1 or uses[0][1] != 1 or np.any(_zero_point(index, node)):
            continue  # a constant operand of an addition, or one that two layers read, stays as it is
        layer = uses[0][0]
        scale = array_of(index, node.input[1])
        yield WeightSite(
            name=node.input[0].removesuffix("_quantized"),
            node=node.name,
            layer=layer.name,
            integers=node.input[0],
            scale=node.input[1],
            axis=_axis(node) if scale.size > 1 else None,
            input_scale=_input_scale(index, layer),
            bias=_bias(index, layer),
        )


def _bias(index: OnnxIndex, layer: "NodeProto") -> BiasSite | None:
    node = index.producer(layer.input[2]) if len(layer.input) > 2 else None
    if node is None or not _dequantizes_constant(index, node, "int32") or len(index.uses(node.output[0])) > 1:
        return None
    return BiasSite(node.name, node.input[0], node.input[1])


def _input_scale(index: OnnxIndex, layer: "NodeProto") -> str:
    """Moves of values between the DequantizeLinear and the layer keep the scale."""
    node = index.producer(layer.input[0])
    while node is not None and node.op_type in MOVES_VALUES:
        node = index.producer(node.input[0])
    return str(node.input[1]) if node is not None and node.op_type == "DequantizeLinear" else ""


def _activations(index: OnnxIndex) -> Iterator[ActivationSite]:
    quantizers = [n for n in index.nodes if n.op_type == "QuantizeLinear" and _has_one_scale(index, n)]
    groups = _tied(index, dict.fromkeys(n.input[1] for n in quantizers))
    for scales in groups:
        nodes = [n for n in quantizers if n.input[1] in scales]
        clips = [c for n in nodes for c, _ in index.uses(n.output[0]) if c.op_type == "Clip"]
        readers = [n for n in index.nodes if n.op_type == "DequantizeLinear" and n.input[1] in scales]
        low, high = _limits(index, nodes[0], clips)
        makers = (index.producer(n.input[0]) for n in nodes)
        yield ActivationSite(
            scales=tuple(scales),
            zero_points=tuple(dict.fromkeys(n.input[2] for n in nodes)),
            quantize=tuple(n.name for n in nodes),
            clip=tuple(c.name for c in clips),
            dequantize=tuple(n.name for n in readers),
            q_min=low,
            q_max=high,
            learned=not any(m is not None and m.op_type in OWN_RANGE for m in makers),
        )


def _tied(index: OnnxIndex, scales: Iterable[str]) -> list[list[str]]:
    """Scales that have to stay equal: of operators whose output is rounded as their inputs, and of a Concat's operands, for which
    the runtime has integer kernels only where all have the same numbers.
    """
    group = {name: [name] for name in scales}
    for node in index.nodes:
        if node.op_type not in (*SAME_ROUNDING, "Concat"):
            continue
        around = [
            m for m in map(index.producer, node.input) if m is not None and m.op_type == "DequantizeLinear"
        ]
        around += [u for u, _ in index.uses(node.output[0]) if u.op_type == "QuantizeLinear"]
        names = [m.input[1] for m in around if m.input[1] in group]
        for name in names[1:]:
            if group[name] is not group[names[0]] and _same_numbers(index, names[0], name):
                group[names[0]] += group[name]
                group.update((other, group[names[0]]) for other in group[name])
    return list({id(each): each for each in group.values()}.values())


def _same_numbers(index: OnnxIndex, one: str, other: str) -> bool:
    return bool(array_of(index, one) == array_of(index, other))


def _limits(index: OnnxIndex, node: "NodeProto", clips: list["NodeProto"]) -> tuple[int, int]:
    if clips:
        return _clip_limits(index, clips[0])
    limits = np.iinfo(array_of(index, node.input[2]).dtype)
    return int(limits.min), int(limits.max)


def _clip_limits(index: OnnxIndex, clip: "NodeProto") -> tuple[int, int]:
    low, high = (int(array_of(index, name)) for name in clip.input[1:3])
    return low, high


def _has_one_scale(index: OnnxIndex, node: "NodeProto") -> bool:
    stored = len(node.input) == 3 and all(name in index.constants for name in node.input[1:])
    return stored and array_of(index, node.input[1]).size == 1


def _dequantizes_constant(index: OnnxIndex, node: "NodeProto", dtype: str) -> bool:
    if node.op_type != "DequantizeLinear":
        return False
    stored = index.initializer(node.input[0])
    return stored is not None and array_of(index, node.input[0]).dtype == dtype


def _zero_point(index: OnnxIndex, node: "NodeProto") -> Array:
    return array_of(index, node.input[2]) if len(node.input) > 2 else np.zeros(1)


def _axis(node: "NodeProto") -> int:
    return next((int(a.i) for a in node.attribute if a.name == "axis"), 1)
