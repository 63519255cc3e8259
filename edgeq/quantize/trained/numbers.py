"""What a network was trained with, by the tensors of its float graph: scales and zero points of activations, integers of layers."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from edgeq.graphs.onnx_index import OnnxIndex, index_of
from edgeq.graphs.op_sets import HEAVY
from edgeq.quantize.calibration.calibrate import Ranges
from edgeq.quantize.trained.float_graph import array_of, axis_of, dequantized

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class TrainedLayer:
    """`values` float32 as `integers` times `scale`, both [outputs, inputs, kernel...]; `scale` [outputs] or [1]. `bias`: float64
    [outputs], whole steps of the input's scale times `scale`; None where it is in float or there is none.
    """

    name: str
    values: npt.NDArray[np.float32]
    integers: npt.NDArray[np.int8]
    scale: npt.NDArray[np.float32]
    bias: npt.NDArray[np.float64] | None


@dataclass(frozen=True, eq=False)
class TrainedConstant:
    """An operand that is stored: `values` float32, whole steps of `scale`; `zero_point` of int8."""

    values: npt.NDArray[np.float32]
    scale: float
    zero_point: int


def ranges_of(model: "ModelProto") -> Ranges:
    """By tensor that a QuantizeLinear reads, the ends of its range. They hold scale and zero point exactly: `scale_and_zero`."""
    index = index_of(model.graph)
    found = {}
    for node in index.nodes:
        if node.op_type == "QuantizeLinear" and len(node.input) > 2 and node.input[1] in index.constants:
            scale, zero = (array_of(index, name) for name in node.input[1:3])
            if scale.size == 1:
                limits = np.iinfo(zero.dtype)
                step, middle = float(scale.reshape(())), int(zero.reshape(()))
                found[node.input[0]] = (limits.min - middle) * step, (limits.max - middle) * step
    return found


def scale_and_zero(ends: tuple[float, float]) -> tuple[float, int]:
    """Of an int8 activation with this range. A float32 scale times a whole number below 256 is exact in float64, and so is the
    way back.
    """
    low, high = ends
    scale = (high - low) / 255
    return float(np.float32(scale)), round(-128 - low / scale)


def limited_to_fewer(model: "ModelProto") -> int:
    """The bits of the narrowest activation that a Clip on integers limits; 8 where there is none."""
    index = index_of(model.graph)
    makers = ((n, index.producer(n.input[0])) for n in index.nodes if n.op_type == "Clip")
    clips = [n for n, maker in makers if maker is not None and maker.op_type == "QuantizeLinear"]
    ends = [[int(array_of(index, name)) for name in clip.input[1:3]] for clip in clips]
    return min(((high - low).bit_length() for low, high in ends), default=8)


def layers_of(model: "ModelProto") -> tuple[TrainedLayer, ...]:
    """Those with symmetric int8 weights that they alone read."""
    index = index_of(model.graph)
    return tuple(_layers(index))


def constants_of(model: "ModelProto") -> tuple[TrainedConstant, ...]:
    """Operands with one scale that are no layer's weights."""
    index, found = index_of(model.graph), []
    for node in index.nodes:
        stored = node.op_type == "DequantizeLinear" and node.input[0] in index.constants
        readers = [use for use, _ in index.uses(node.output[0])] if stored and len(node.input) > 2 else []
        if not readers or any(use.op_type in HEAVY for use in readers):
            continue
        integers, scale, zero = (array_of(index, name) for name in node.input)
        if scale.size == 1 and integers.dtype in (np.int8, np.uint8):
            shift = np.iinfo(np.int8).min - np.iinfo(integers.dtype).min
            numbers = float(scale.reshape(())), int(zero.reshape(())) + shift
            found.append(TrainedConstant(dequantized(index, node), *numbers))
    return tuple(found)


def _layers(index: OnnxIndex) -> Iterator[TrainedLayer]:
    for node in (n for n in index.nodes if n.op_type in HEAVY and len(n.input) > 1):
        weight = index.producer(node.input[1])
        if weight is None or weight.op_type != "DequantizeLinear" or weight.input[0] not in index.constants:
            continue
        integers, scale = (array_of(index, name) for name in weight.input[:2])
        zero = array_of(index, weight.input[2]) if len(weight.input) > 2 else np.zeros(1)
        if integers.dtype != np.int8 or np.any(zero) or integers.ndim < 2:
            continue
        values, across = dequantized(index, weight), _is_across(node)
        if across and integers.ndim == 2:
            integers, values = integers.T, values.T
        if scale.size > 1 and axis_of(weight) % integers.ndim != (1 if across else 0):
            continue  # scales along the inputs
        yield TrainedLayer(node.name, values, integers, scale.reshape(-1), _bias(index, node))


def _is_across(node: "NodeProto") -> bool:
    """Whether its weights are [inputs, outputs]."""
    transposed = any(a.name == "transB" and a.i for a in node.attribute)
    return node.op_type == "MatMul" or (node.op_type == "Gemm" and not transposed)


def _bias(index: OnnxIndex, node: "NodeProto") -> npt.NDArray[np.float64] | None:
    maker = index.producer(node.input[2]) if len(node.input) > 2 else None
    if maker is None or maker.op_type != "DequantizeLinear" or maker.input[0] not in index.constants:
        return None
    integers, scale = (array_of(index, name) for name in maker.input[:2])
    return integers * scale.astype(np.float64) if integers.dtype == np.int32 else None
