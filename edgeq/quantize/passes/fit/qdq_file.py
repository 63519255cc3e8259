"""The layers with int8 weights of a QDQ model, whose weights can be replaced."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from edgeq.graphs.onnx_edit import copied
from edgeq.graphs.onnx_index import attributes, index_of
from edgeq.graphs.onnx_io import read_onnx, write_onnx
from edgeq.graphs.op_sets import STATIC
from edgeq.graphs.outer_layers import outer_layers
from edgeq.quantize.evaluate.partial_run import OnnxRun
from edgeq.quantize.passes.fit.linear import Linear, linear_of
from edgeq.quantize.samples import SamplesLike
from edgeq.quantize.weights import Weights

if TYPE_CHECKING:
    import onnx

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class QdqLayer:
    """A node of both graphs, which has one name there. `float_input` and `input` are the tensors that it reads in either.

    `weight` and `bias` are float's, `axis` that of the weight's outputs; `integers` to `bias_scale` are initializers of the QDQ file, `""` where it has none.
    """

    name: str
    float_input: str
    input: str
    node: "onnx.NodeProto"
    weight: Array
    bias: Array | None
    axis: int
    integers: str
    scale: str
    bias_integers: str
    bias_scale: str

    def linear(self, input_shape: tuple[int, ...]) -> Linear | None:
        return linear_of(self.node, self.weight.shape, input_shape)

    def columns_input(self, x: Array) -> Array:
        return x


class QdqFile:
    """`model` is changed in place; `float_model` is what it was made from."""

    def __init__(self, model: "onnx.ModelProto", float_model: "onnx.ModelProto") -> None:
        self._model, self._float = model, float_model
        self._index, self._float_index = index_of(model.graph), index_of(float_model.graph)

    @staticmethod
    def read(path: Path, float_model: "onnx.ModelProto") -> "QdqFile":
        """Raises ConversionFailed."""
        return QdqFile(read_onnx(path), float_model)

    def layers(self) -> tuple[QdqLayer, ...]:
        """In the order of the float graph; the quantizer appends its own nodes at the end."""
        floats = {n.name: n for n in self._float_index.nodes}
        found = (
            self._layer(node, floats[node.name])
            for node in self._index.nodes
            if node.op_type in STATIC and node.name in floats
        )
        return tuple(layer for layer in found if layer is not None)

    def runs(self, samples: SamplesLike, threads: int, first: int | None = None) -> tuple[OnnxRun, OnnxRun]:
        one, other = (OnnxRun(model, samples, threads, first) for model in (self._float, self._model))
        return one, other

    def integers(self, layer: QdqLayer) -> npt.NDArray[np.int8]:
        return self._array(layer.integers)

    def scale(self, layer: QdqLayer) -> Array:
        return self._array(layer.scale)

    def bias(self, layer: QdqLayer) -> Array | None:
        if not layer.bias_integers:
            return None
        return np.asarray(self._array(layer.bias_integers) * self._array(layer.bias_scale).astype(np.float64))

    def outer(self) -> set[str]:
        return outer_layers(self._index)

    def input_range(self, layer: QdqLayer) -> tuple[float, float] | None:
        node = self._index.producer(layer.input)
        if node is None or node.op_type != "DequantizeLinear":
            return None
        scale, zero = self._array(node.input[1]), self._array(node.input[2])
        limits = np.iinfo(zero.dtype)
        low, high = (float((q - int(zero)) * scale) for q in (limits.min, limits.max))
        return low, high

    def put(self, layer: QdqLayer, weights: Weights) -> None:
        old = self._array(layer.scale)
        scale = np.asarray(weights.scale, old.dtype).reshape(old.shape)
        self._replace(layer.integers, weights.integers)
        self._replace(layer.scale, scale)
        if weights.bias is not None and layer.bias_integers:
            step = np.asarray(self._array(layer.bias_scale) * (scale / old), np.float32)
            limits = np.iinfo(np.int32)
            whole = np.clip(np.round(weights.bias / step), limits.min, limits.max)
            self._replace(layer.bias_scale, step)
            self._replace(layer.bias_integers, whole.astype(np.int32))

    def float_with(self, layer: QdqLayer, weight: Array, folder: Path) -> "onnx.ModelProto":
        from onnx import numpy_helper

        changed, name = copied(self._float), layer.node.input[1]
        stored = index_of(changed.graph).constants[name]
        stored.CopyFrom(numpy_helper.from_array(np.asarray(weight, np.float32), name))
        return changed

    def save(self, path: Path) -> None:
        write_onnx(self._model, path)

    def _layer(self, node: "onnx.NodeProto", float_node: "onnx.NodeProto") -> QdqLayer | None:
        """None where the weights are not symmetric int8, or other nodes read them too."""
        weight = self._constant(node.input[1])
        stored = self._float_index.initializer(float_node.input[1])
        if weight is None or stored is None or not self._is_symmetric(weight):
            return None
        bias = self._constant(node.input[2]) if len(node.input) > 2 and node.input[2] else None
        floats = self._float_array(float_node.input[1])
        has_bias = bias is not None and self._float_index.initializer(float_node.input[2]) is not None
        return QdqLayer(
            name=node.name,
            float_input=float_node.input[0],
            input=node.input[0],
            node=float_node,
            weight=floats,
            bias=self._float_array(float_node.input[2]) if has_bias else None,
            axis=self._axis(weight, float_node, floats.ndim),
            integers=weight.input[0],
            scale=weight.input[1],
            bias_integers=bias.input[0] if bias is not None and has_bias else "",
            bias_scale=bias.input[1] if bias is not None and has_bias else "",
        )

    def _constant(self, tensor: str) -> "onnx.NodeProto | None":
        """The DequantizeLinear of stored integers that makes `tensor`, if both are read only once."""
        node = self._index.producer(tensor)
        if node is None or node.op_type != "DequantizeLinear" or len(self._index.uses(tensor)) > 1:
            return None
        stored = all(self._index.initializer(name) is not None for name in node.input)
        return node if stored and len(self._index.uses(node.input[0])) == 1 else None

    def _axis(self, weight: "onnx.NodeProto", float_node: "onnx.NodeProto", rank: int) -> int:
        """The one that has a scale for each index, or the operator's."""
        if self._array(weight.input[1]).size > 1:
            return int(attributes(weight).get("axis", 1)) % rank
        return 0 if float_node.op_type == "Conv" or attributes(float_node).get("transB") else rank - 1

    def _is_symmetric(self, weight: "onnx.NodeProto") -> bool:
        stored = self._array(weight.input[0]).dtype == np.int8
        return stored and (len(weight.input) < 3 or not self._array(weight.input[2]).any())

    def _array(self, name: str) -> Array:
        import onnx

        return np.asarray(onnx.numpy_helper.to_array(self._index.constants[name]))

    def _float_array(self, name: str) -> Array:
        import onnx

        return np.asarray(onnx.numpy_helper.to_array(self._float_index.constants[name]))

    def _replace(self, name: str, array: Array) -> None:
        import onnx

        self._index.constants[name].CopyFrom(onnx.numpy_helper.from_array(array, name))
