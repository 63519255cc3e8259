"""The quantized layers of a QDQ ModelProto: what multiplies fixed integers, and how to give it others."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.quantize.passes.fit.fitted_weights import Weights
from edgeq.quantize.passes.fit.linear import Linear, linear_of

Array = npt.NDArray[Any]

_MULTIPLY = ("Conv", "Gemm", "MatMul")


@dataclass(frozen=True)
class QdqLayer:
    """One node, by its name in both graphs. `float_input` and `input` are the tensors that it reads in either.

    `weight` and `bias` are float's; the names are those of the initialisers in the QDQ file, `""` where it has none.
    """

    name: str
    float_input: str
    input: str
    node: Any
    weight: Array
    bias: Array | None
    integers: str
    scale: str
    bias_integers: str
    bias_scale: str

    def linear(self, input_shape: tuple[int, ...]) -> Linear | None:
        return linear_of(self.node, self.weight.shape, input_shape)


class QdqFile:
    """`model` is changed in place; `float_model` is the graph that it was made from."""

    def __init__(self, model: Any, float_model: Any) -> None:
        self.model, self._float = model, float_model
        self._stored = {i.name: i for i in model.graph.initializer}
        self._floats = {i.name: i for i in float_model.graph.initializer}
        self._maker = {o: n for n in model.graph.node for o in n.output}
        self._readers = Counter(name for n in model.graph.node for name in n.input)

    def layers(self) -> tuple[QdqLayer, ...]:
        """In the order of the float graph, in which they can run; the quantizer appends its own nodes at the end."""
        floats = {n.name: n for n in self._float.graph.node}
        found = (
            self._layer(node, floats[node.name])
            for node in self.model.graph.node
            if node.op_type in _MULTIPLY and node.name in floats
        )
        return tuple(layer for layer in found if layer is not None)

    def array(self, name: str) -> Array:
        import onnx

        return np.asarray(onnx.numpy_helper.to_array(self._stored[name]))

    def bias(self, layer: QdqLayer) -> Array | None:
        """In reals."""
        if not layer.bias_integers:
            return None
        return np.asarray(self.array(layer.bias_integers) * self.array(layer.bias_scale).astype(np.float64))

    def input_range(self, layer: QdqLayer) -> tuple[float, float] | None:
        """The smallest and the largest value that the layer's input can have; None where it is not quantized."""
        node = self._maker.get(layer.input)
        if node is None or node.op_type != "DequantizeLinear":
            return None
        scale, zero = self.array(node.input[1]), self.array(node.input[2])
        limits = np.iinfo(zero.dtype)
        low, high = (float((q - int(zero)) * scale) for q in (limits.min, limits.max))
        return low, high

    def put(self, layer: QdqLayer, weights: Weights) -> None:
        """Replaces integers, scale and bias; types and shapes stay."""
        old = self.array(layer.scale)
        scale = np.asarray(weights.scale, old.dtype).reshape(old.shape)
        self._replace(layer.integers, weights.integers)
        self._replace(layer.scale, scale)
        if weights.bias is not None and layer.bias_integers:
            step = np.asarray(self.array(layer.bias_scale) * (scale / old), np.float32)
            limits = np.iinfo(np.int32)
            whole = np.clip(np.round(weights.bias / step), limits.min, limits.max)
            self._replace(layer.bias_scale, step)
            self._replace(layer.bias_integers, whole.astype(np.int32))

    def _layer(self, node: Any, float_node: Any) -> QdqLayer | None:
        """None where the weights are not integers of one scale per row, or not of this layer alone."""
        weight = self._constant(node.input[1])
        if weight is None or float_node.input[1] not in self._floats or not self._is_symmetric(weight):
            return None
        bias = self._constant(node.input[2]) if len(node.input) > 2 and node.input[2] else None
        has_bias = bias is not None and float_node.input[2] in self._floats
        return QdqLayer(
            name=node.name,
            float_input=float_node.input[0],
            input=node.input[0],
            node=float_node,
            weight=self._float_array(float_node.input[1]),
            bias=self._float_array(float_node.input[2]) if has_bias else None,
            integers=weight.input[0],
            scale=weight.input[1],
            bias_integers=bias.input[0] if bias is not None and has_bias else "",
            bias_scale=bias.input[1] if bias is not None and has_bias else "",
        )

    def _constant(self, tensor: str) -> Any:
        """The DequantizeLinear of stored integers that makes `tensor`, if it and they are read only once."""
        node = self._maker.get(tensor)
        if node is None or node.op_type != "DequantizeLinear" or self._readers[tensor] > 1:
            return None
        ours = all(name in self._stored for name in node.input) and self._readers[node.input[0]] == 1
        return node if ours else None

    def _is_symmetric(self, weight: Any) -> bool:
        stored = self.array(weight.input[0]).dtype == np.int8
        return stored and (len(weight.input) < 3 or not self.array(weight.input[2]).any())

    def _float_array(self, name: str) -> Array:
        import onnx

        return np.asarray(onnx.numpy_helper.to_array(self._floats[name]))

    def _replace(self, name: str, array: Array) -> None:
        import onnx

        self._stored[name].CopyFrom(onnx.numpy_helper.from_array(array, name))
