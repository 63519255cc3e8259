"""Weights and biases that are quantized here, with the bits that onnxruntime's quantizer gives them: it takes 50 us for each
output channel, in Python (2 s for 25 M weights, 6 s for a ViT-B), and holds two copies of all weights.

It gets stand-ins of at most two values along each dimension, so that it places all nodes and names all constants, and `fill` puts
the real numbers in. What it does with values is known for a weight of one Conv, Gemm or MatMul; others it quantizes itself.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from edgeq.graphs.onnx_index import OnnxIndex, attributes, index_of
from edgeq.graphs.op_sets import STATIC
from edgeq.graphs.weightless import with_initializers
from edgeq.quantize.passes.int16_saturation import Widening

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]

_MOST = 2  # along a dimension: as many tell scales per channel from one scale
_STEPS, _REDUCED_STEPS = 254, 128  # between the ends of a symmetric range, of 8 and of 7 bits
_TINY = float(np.finfo(np.float32).tiny)  # scales below it become 1
_BIAS_ROOM = 1.0001  # by which the largest bias stays below the end of 32 bits
_BLOCK = 2**16  # values that are divided and rounded at once


@dataclass(frozen=True)
class Layer:
    """The node that reads `weight` and `bias`, initializers of the float graph; None where it has no constant bias."""

    node: str
    weight: "TensorProto"
    bias: "TensorProto | None"


def with_stand_ins(model: "ModelProto") -> "tuple[ModelProto, tuple[Layer, ...]]":
    """A copy with stand-ins, and the layers that have some; their weights are not copied."""
    layers = tuple(_layers(model))
    apart = {t.name for layer in layers for t in (layer.weight, layer.bias) if t is not None}
    stored = (_stand_in(t) if t.name in apart else t for t in model.graph.initializer)
    return with_initializers(model, stored), layers


def fill(
    quantized: "ModelProto",
    layers: tuple[Layer, ...],
    widenings: Mapping[str, Widening],
    *,
    reduce_range: bool,
) -> None:
    """Puts the numbers of `layers` into what the quantizer made of the copy. `widenings`: by weight, how much larger its scales
    have to be than its values ask for.
    """
    index = index_of(quantized.graph)
    nodes = {node.name: node for node in index.nodes}
    for layer in layers:
        file = _File(index, nodes[layer.node], layer)
        if file.weight is None:
            file.leave_in_float()
        else:
            file.quantize(widenings.get(layer.weight.name), _REDUCED_STEPS if reduce_range else _STEPS)


def _layers(model: "ModelProto") -> Iterator[Layer]:
    index = index_of(model.graph)
    for node in index.nodes:
        weight = _own(node, 1, index) if node.op_type in STATIC else None
        if weight is None or len(weight.dims) < 2 or not _is_plain(node):
            continue
        bias = _own(node, 2, index)
        if bias is None and len(node.input) > 2 and index.constant(node.input[2]) is not None:
            continue
        if bias is None or list(bias.dims) == [_channels(node, weight)]:
            yield Layer(node.name, weight, bias)


def _own(node: "NodeProto", place: int, index: OnnxIndex) -> "TensorProto | None":
    """What the node reads there, where it is an initializer of finite floats that nothing else reads."""
    name = node.input[place] if place < len(node.input) else ""
    stored = index.initializer(name)
    if stored is None or stored.data_type != stored.FLOAT or index.is_graph_input(name):
        return None
    if index.only_consumer(name) is not node:
        return None
    values = _array(stored)
    finite = values.size > 0 and np.isfinite(values.min()) and np.isfinite(values.max())
    return stored if finite else None


def _is_plain(node: "NodeProto") -> bool:
    """No factor of a Gemm changes the scale of its bias."""
    return bool(attributes(node).get("beta", 1.0) == 1.0)


def _channels(node: "NodeProto", weight: "TensorProto") -> int:
    rows = node.op_type == "Conv" or bool(attributes(node).get("transB", 0))
    return int(weight.dims[0 if rows else -1])


def _stand_in(stored: "TensorProto") -> "TensorProto":
    """Of ones, whose scales are wide enough for a bias of ones."""
    from onnx import numpy_helper

    return numpy_helper.from_array(np.ones([min(d, _MOST) for d in stored.dims], np.float32), stored.name)


class _File:
    """The constants of a layer in the quantized file, where `node` is the layer's."""

    def __init__(self, index: OnnxIndex, node: "NodeProto", layer: Layer) -> None:
        self._index, self._node, self._layer = index, node, layer
        self.weight = self._dequantized(layer.weight)
        self._bias = None if layer.bias is None else self._dequantized(layer.bias)

    def leave_in_float(self) -> None:
        for stored in (self._layer.weight, self._layer.bias):
            if stored is not None:
                self._put(stored)

    def quantize(self, widening: Widening | None, steps: int) -> None:
        """The weight, and the bias where the quantizer took it."""
        assert self.weight is not None
        values = _array(self._layer.weight)
        axis = next((int(a.i) for a in self.weight.attribute if a.name == "axis"), None)
        scale = _scale(values, axis, widening, steps)
        if self._bias is not None:
            assert self._layer.bias is not None
            bias, input_scale = _array(self._layer.bias), self._input_scale()
            scale = _wide_enough(scale, input_scale, bias)
            self._put_bias(bias, np.asarray(input_scale * scale, np.float32))
        elif self._layer.bias is not None:
            self._put(self._layer.bias)
        self._put_weight(_integers(values, scale, axis), scale)

    def _put_weight(self, integers: Array, scale: Floats) -> None:
        from onnx import TensorProto, helper, numpy_helper

        assert self.weight is not None
        names = self.weight.input
        self._put(numpy_helper.from_array(integers, names[0]))
        self._put(helper.make_tensor(names[1], TensorProto.FLOAT, scale.shape, scale.ravel().tolist()))
        self._put(helper.make_tensor(names[2], TensorProto.INT8, scale.shape, [0] * scale.size))

    def _put_bias(self, bias: Floats, scale: Floats) -> None:
        """`scale` that of the input times that of the weights."""
        from onnx import numpy_helper

        assert self._bias is not None
        names, limits = self._bias.input, np.iinfo(np.int32)
        steps = np.clip((bias.astype(np.float64) / scale.astype(np.float64)).round(), limits.min, limits.max)
        self._put(numpy_helper.from_array(steps.astype(np.int32), names[0]))
        self._put(numpy_helper.from_array(scale.reshape(-1), names[1]))
        if scale.size > 1:  # else the file has one zero already
            self._put(numpy_helper.from_array(np.zeros(scale.size, np.int32), names[2]))

    def _input_scale(self) -> Floats:
        dequantize = self._index.producer(self._node.input[0])
        stored = None if dequantize is None else self._index.initializer(dequantize.input[1])
        assert stored is not None  # a bias is quantized where the input is
        return _array(stored)

    def _dequantized(self, stored: "TensorProto") -> "NodeProto | None":
        """The DequantizeLinear of what was made of `stored`; None where it stays in float."""
        uses = self._index.uses(f"{stored.name}_quantized")
        return uses[0][0] if uses else None

    def _put(self, tensor: "TensorProto") -> None:
        stored = self._index.initializer(tensor.name)
        assert stored is not None
        stored.CopyFrom(tensor)


def _scale(values: Floats, axis: int | None, widening: Widening | None, steps: int) -> Floats:
    others = None if axis is None else tuple(i for i in range(values.ndim) if i != axis)
    largest = np.asarray(np.maximum(values.max(axis=others), -values.min(axis=others)))
    if widening is not None:
        factors = np.array(widening.factors).reshape(largest.shape)
        largest = (largest * factors).astype(np.float32)
    scale = 2.0 * largest.astype(np.float64) / steps
    return np.asarray(np.where(scale < _TINY, 1.0, scale), np.float32)


def _wide_enough(scale: Floats, input_scale: Floats, bias: Floats) -> Floats:
    """Wider where the bias would exceed 32 bits in steps of `scale` times `input_scale`."""
    limits = np.iinfo(np.int32)
    largest = np.abs(bias) if scale.ndim else np.abs(bias).max().astype(np.float64)
    least = _BIAS_ROOM * (2.0 * largest) / np.float64(limits.max - (limits.min + 1))
    wide = scale.astype(np.float64)
    step = input_scale.astype(np.float64) * wide
    with np.errstate(divide="ignore"):  # a step of zero is left as it is
        wider = (wide * (least / step)).astype(np.float32)
    return np.asarray(np.where((step < least) & (step > 0.0), wider, scale), np.float32)


def _integers(values: Floats, scale: Floats, axis: int | None) -> npt.NDArray[np.int8]:
    """Block by block: what is divided and rounded stays in the cache."""
    found = np.empty(values.shape, np.int8)
    limits = np.iinfo(np.int8)
    along = scale if axis is None else scale.reshape([-1 if k == axis else 1 for k in range(values.ndim)])
    rows = max(_BLOCK * len(values) // values.size, 1)
    for first in range(0, len(values), rows):
        block = slice(first, first + rows)
        steps = values[block] / (along[block] if axis == 0 else along)
        np.clip(np.rint(steps, out=steps), limits.min, limits.max, out=steps)
        found[block] = steps
    return found


def _array(stored: "TensorProto") -> Floats:
    from onnx import numpy_helper

    return np.asarray(numpy_helper.to_array(stored))
