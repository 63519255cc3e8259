"""The layers with int8 weights of a quantized .tflite file (its main subgraph), whose weights can be replaced."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.graphs.outer_layers import outer_tflite_layers
from edgeq.graphs.tflite import kind_of, packed, read_model
from edgeq.quantize.evaluate.partial_run import TfliteRun
from edgeq.quantize.passes.fit.linear import Linear, Window, same_padding
from edgeq.quantize.samples import SamplesLike
from edgeq.quantize.weights import Weights

Array = npt.NDArray[Any]

# The axes of a stored weight in the order outputs, inputs, kernel.
_AXES = {"CONV_2D": (0, 3, 1, 2), "DEPTHWISE_CONV_2D": (3, 0, 1, 2), "FULLY_CONNECTED": (0, 1)}


@dataclass(frozen=True)
class TfliteLayer:
    """One operator in both files, indices of tensors in each; `name` is that of its output.

    `weight` [outputs, inputs, kernel...] and `bias` are float's, `float_weight` is its tensor; `operator` is the quantized one.
    """

    name: str
    kind: str
    float_input: int
    input: int
    operator: Any
    weight: Array
    float_weight: int
    bias: Array | None
    axis = 0  # outputs come first

    def linear(self, input_shape: tuple[int, ...]) -> Linear:
        if self.kind == "FULLY_CONNECTED":
            return Linear()
        o = self.operator.builtinOptions
        strides, dilations = (o.strideH, o.strideW), (o.dilationHFactor, o.dilationWFactor)
        kernel = self.weight.shape[2:]
        if o.padding == 0:  # SAME
            pads = tuple(
                same_padding(n, k, s, d, upper=True)
                for n, k, s, d in zip(input_shape[2:], kernel, strides, dilations, strict=True)
            )
        else:
            pads = ((0, 0), (0, 0))
        groups = input_shape[1] // self.weight.shape[1]
        return Linear(groups, Window(kernel, strides, dilations, pads))

    def columns_input(self, x: Array) -> Array:
        """`x` comes with channels last."""
        return (
            x.reshape(-1, self.weight.shape[1]) if self.kind == "FULLY_CONNECTED" else x.transpose(0, 3, 1, 2)
        )


class TfliteFile:
    """Both files are read into objects; those of the quantized one change, and `save` writes them."""

    def __init__(self, float_path: Path, path: Path) -> None:
        self._float_model, self._model = read_model(float_path), read_model(path)
        self._floats, self._graph = self._float_model.subgraphs[0], self._model.subgraphs[0]
        self._readers = Counter(i for o in self._graph.operators for i in o.inputs)
        self._sharers = Counter(t.buffer for g in self._model.subgraphs for t in g.tensors)

    def layers(self) -> tuple[TfliteLayer, ...]:
        floats = {self._name(self._floats, o): o for o in self._floats.operators}
        found = (self._layer(o, floats.get(self._name(self._graph, o))) for o in self._graph.operators)
        return tuple(layer for layer in found if layer is not None)

    def runs(
        self, samples: SamplesLike, threads: int, first: int | None = None
    ) -> tuple[TfliteRun, TfliteRun]:
        one, other = (TfliteRun(m, samples, threads, first) for m in (self._float_model, self._model))
        return one, other

    def scale(self, layer: TfliteLayer) -> npt.NDArray[np.float64]:
        return np.asarray(self._weight(layer.operator).quantization.scale, np.float64)

    def integers(self, layer: TfliteLayer) -> npt.NDArray[np.int8]:
        return self._constant(self._model, self._weight(layer.operator)).transpose(_AXES[layer.kind])

    def bias(self, layer: TfliteLayer) -> Array | None:
        if layer.bias is None:
            return None
        tensor = self._graph.tensors[layer.operator.inputs[2]]
        return self._constant(self._model, tensor) * np.asarray(tensor.quantization.scale, np.float64)

    def outer(self) -> set[str]:
        return {str(self._graph.tensors[i].name.decode()) for i in outer_tflite_layers(self._model)}

    def input_range(self, layer: TfliteLayer) -> tuple[float, float]:
        tensor = self._graph.tensors[layer.input]
        scale, zero = float(tensor.quantization.scale[0]), int(tensor.quantization.zeroPoint[0])
        limits = np.iinfo(_TYPES[tensor.type])
        return (limits.min - zero) * scale, (limits.max - zero) * scale

    def put(self, layer: TfliteLayer, weights: Weights) -> None:
        """Replaces integers and bias; the scale, and the bias's with it, where it is another."""
        back = np.argsort(_AXES[layer.kind])
        stored_weight = self._weight(layer.operator)
        self._fill(stored_weight, weights.integers.transpose(back))
        old = np.asarray(stored_weight.quantization.scale, np.float32).reshape(-1)
        scale = np.asarray(weights.scale, np.float32).reshape(-1)
        moved = not np.array_equal(scale, old)
        if moved:
            stored_weight.quantization.scale = scale
        if weights.bias is not None:
            bias = self._graph.tensors[layer.operator.inputs[2]]
            step = np.asarray(bias.quantization.scale, np.float64)
            if moved:
                step = (step * (scale / old)).astype(np.float32)
                bias.quantization.scale = step
            stored = _TYPES[bias.type]
            limits = np.iinfo(np.int32)  # also of 64-bit biases, which 16-bit activations come with
            whole = np.clip(np.round(weights.bias / step), limits.min, limits.max)
            self._fill(bias, whole.astype(stored))

    def float_with(self, layer: TfliteLayer, weight: Array, folder: Path) -> Path:
        tensor = self._floats.tensors[layer.float_weight]
        buffer, path = self._float_model.buffers[tensor.buffer], folder / "changed.tflite"
        before = buffer.data
        back = np.argsort(_AXES[layer.kind])
        stored = np.ascontiguousarray(np.asarray(weight, np.float32).transpose(back))
        buffer.data = np.frombuffer(stored.tobytes(), np.uint8)
        path.write_bytes(packed(self._float_model))
        buffer.data = before
        return path

    def save(self, path: Path) -> None:
        path.write_bytes(packed(self._model))

    def _layer(self, operator: Any, float_operator: Any) -> TfliteLayer | None:
        """None where the weights are not symmetric int8, others read them too, or float's are not constant."""
        kind = kind_of(self._model, operator)
        if kind not in _AXES or float_operator is None or kind_of(self._float_model, float_operator) != kind:
            return None
        stored, weight = self._weight(operator), self._floats.tensors[float_operator.inputs[1]]
        activation = self._graph.tensors[operator.inputs[0]]
        if not (
            _is(stored, np.int8) and _is(activation, np.int8, np.int16) and self._own(operator.inputs[1])
        ):
            return None
        floats = self._constant(self._float_model, weight)
        if floats.dtype != np.float32 or np.any(stored.quantization.zeroPoint):
            return None
        return TfliteLayer(
            name=self._name(self._graph, operator),
            kind=kind,
            float_input=int(float_operator.inputs[0]),
            input=int(operator.inputs[0]),
            operator=operator,
            weight=floats.transpose(_AXES[kind]),
            float_weight=int(float_operator.inputs[1]),
            bias=self._bias(operator, float_operator),
        )

    def _bias(self, operator: Any, float_operator: Any) -> Array | None:
        """Of float; zeros where it adds none and the quantized layer has a bias all the same."""
        if len(operator.inputs) < 3 or operator.inputs[2] < 0 or self._readers[operator.inputs[2]] > 1:
            return None
        bias = self._graph.tensors[operator.inputs[2]]
        if not _is(bias, np.int32, np.int64) or bias.quantization is None or bias.quantization.scale is None:
            return None
        if len(float_operator.inputs) < 3 or float_operator.inputs[2] < 0:
            return np.zeros(tuple(bias.shape), np.float32)
        return self._constant(self._float_model, self._floats.tensors[float_operator.inputs[2]])

    def _weight(self, operator: Any) -> Any:
        return self._graph.tensors[operator.inputs[1]]

    def _own(self, tensor: int) -> bool:
        """Whether one operator alone reads this constant."""
        t = self._graph.tensors[tensor]
        return self._readers[tensor] == 1 and self._model.buffers[t.buffer].data is not None

    def _constant(self, model: Any, tensor: Any) -> Array:
        data = model.buffers[tensor.buffer].data
        if data is None:
            return np.zeros(0, np.uint8)
        return np.frombuffer(bytes(data), _TYPES.get(tensor.type, np.uint8)).reshape(tuple(tensor.shape))

    def _fill(self, tensor: Any, array: Array) -> None:
        if self._sharers[tensor.buffer] > 1:  # equal constants are stored once
            self._sharers[tensor.buffer] -= 1
            self._model.buffers.append(type(self._model.buffers[0])())
            tensor.buffer = len(self._model.buffers) - 1
        self._model.buffers[tensor.buffer].data = np.frombuffer(
            np.ascontiguousarray(array).tobytes(), np.uint8
        )

    def _name(self, graph: Any, operator: Any) -> str:
        return str(graph.tensors[operator.outputs[0]].name.decode())


_TYPES: dict[int, Any] = {
    0: np.float32,
    2: np.int32,
    4: np.int64,
    7: np.int16,
    9: np.int8,
}  # of the schema's TensorType


def _is(tensor: Any, *dtypes: type) -> bool:
    return _TYPES.get(tensor.type) in dtypes
