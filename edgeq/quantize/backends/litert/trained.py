"""Writes a network that was trained in its integers for LiteRT: litert-quantizer lays out the file, and the numbers are the trained
ones.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from copy import copy
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.graphs.onnx_io import read_onnx
from edgeq.graphs.tflite import kind_of, opcode_of, packed, producers_of, read_model
from edgeq.nouns.passes import AppliedChange
from edgeq.quantize.backends.litert.emit import emit, form_of
from edgeq.quantize.backends.litert.four_bits import store_in_four_bits
from edgeq.quantize.backends.litert.kernels import without_kernel
from edgeq.quantize.calibration.calibrate import Ranges
from edgeq.quantize.quantization import Backend, Quantization, Written
from edgeq.quantize.trained.numbers import (
    TrainedConstant,
    TrainedLayer,
    constants_of,
    layers_of,
    scale_and_zero,
)

Array = npt.NDArray[Any]

# Of a layer's weight in a file, in the order outputs, inputs, kernel. A depthwise one has its inputs first and each alone.
_AXES = {"CONV_2D": (0, 3, 1, 2), "DEPTHWISE_CONV_2D": (3, 0, 1, 2), "FULLY_CONNECTED": (0, 1)}
_ARITHMETIC = ("ADD", "DIV", "MUL", "SUB")
_JOINS = ("CONCATENATION", "MAXIMUM", "MINIMUM", "PACK")  # int8 operands of one scale
_OWN_SCALE = ("LOGISTIC", "LOG_SOFTMAX", "SOFTMAX", "TANH")  # whatever the file says
_UNCHANGED = ("BATCH_MATMUL", "TRANSPOSE_CONV")  # the quantizer's weights stay
_FLOAT, _INT8 = 0, 9  # of the schema's TensorType
_LEAST_RATIO = 2.0**-32
_OTHERS = "its float weights are not the trained ones: rounded to nearest"
_OTHER_CONSTANT = "onnx2tf made this constant of several: rounded to nearest"
_OTHER_SCALE = "LiteRT's kernel has a scale of its own for it"


class LitertTrained(Backend):
    """The state's ranges hold the trained scales (passes/trained_ranges.py)."""

    def unsupported(self, q: Quantization) -> dict[str, str]:
        return without_kernel(q.source, q.candidate.runtime, q.activation_bits)

    def write(
        self, q: Quantization, path: Path, in_float: Collection[str] = (), *, fitted: bool = True
    ) -> Written:
        assert q.trained is not None  # the planner gives it
        emit(q.source, path, q.ranges, frozenset(in_float).union(q.in_float), form_of(q))
        file = _File(q.source, path)
        trained = read_onnx(q.trained)
        changes = [*file.put_constants(constants_of(trained)), *file.put_activations(q.ranges)]
        changes += file.put_layers(layers_of(trained))
        path.write_bytes(file.packed())
        smaller = store_in_four_bits(path) if q.candidate.runtime == "litert" else ()
        return Written(path, (*changes, *smaller))


class _File:
    """Both files as objects; those of the quantized one change."""

    def __init__(self, float_path: Path, path: Path) -> None:
        self._floats, self._model = read_model(float_path), read_model(path)
        self._graph = self._model.subgraphs[0]
        self._readers = Counter(int(i) for o in self._graph.operators for i in o.inputs)

    def packed(self) -> bytes:
        """Without the constants that nothing reads any more."""
        read = {t.buffer for g in self._model.subgraphs for t in g.tensors}
        read |= {each.buffer for each in self._model.metadata or ()}
        for place, buffer in enumerate(self._model.buffers):
            if place not in read:
                buffer.data = None
        return packed(self._model)

    def put_activations(self, ranges: Ranges) -> Iterator[AppliedChange]:
        """Scale and zero point of every int8 activation that has a range. Operands of an operator that joins those of one scale are
        converted for it; what its kernel's own scale is, stays and is returned.
        """
        makers = producers_of(self._graph)
        for place, tensor in enumerate(self._graph.tensors):
            name = tensor.name.decode().removesuffix("_quantized")
            if tensor.type != _INT8 or name not in ranges or self._data(self._model, tensor) is not None:
                continue
            maker = makers.get(place)
            if self._converts_integers(maker):
                continue  # for a join
            scale, zero = scale_and_zero(ranges[name])
            stored = tensor.quantization
            same = np.isclose(stored.scale[0], scale, rtol=1e-3) and abs(int(stored.zeroPoint[0]) - zero) <= 1
            own = maker is not None and kind_of(self._model, maker) in _OWN_SCALE
            if own or not (same or self._is_joined(place)):
                if not same:
                    yield AppliedChange(name, _OTHER_SCALE)
                continue
            tensor.quantization = copy(stored)
            tensor.quantization.scale = np.asarray([scale], np.float32)
            tensor.quantization.zeroPoint = np.asarray([zero], np.int64)
        for join in [o for o in self._graph.operators if self._joins(o)]:
            self._convert_operands(join)

    def _joins(self, operator: Any) -> bool:
        output = self._graph.tensors[operator.outputs[0]]
        return kind_of(self._model, operator) in _JOINS and output.type == _INT8

    def _is_joined(self, place: int) -> bool:
        return any(place in o.inputs and self._joins(o) for o in self._graph.operators)

    def _converts_integers(self, maker: Any) -> bool:
        if maker is None or kind_of(self._model, maker) != "QUANTIZE":
            return False
        return bool(self._graph.tensors[maker.inputs[0]].type == _INT8)

    def _convert_operands(self, join: Any) -> None:
        """All get the numbers of the output, to the last bit, which XNNPACK asks for."""
        tensors, makers = self._graph.tensors, producers_of(self._graph)
        wanted = tensors[join.outputs[0]].quantization
        for place in dict.fromkeys(int(i) for i in join.inputs):
            stored = (
                self._data(self._model, tensors[place]) is not None
            )  # in what were the output's numbers, but for a last bit
            if stored or self._converts_integers(makers.get(place)):
                tensors[place].quantization = wanted
            elif not _same_numbers(tensors[place].quantization, wanted):
                join.inputs = [self._converted(place, wanted) if i == place else int(i) for i in join.inputs]

    def _converted(self, place: int, wanted: Any) -> int:
        """The place of a copy in other numbers, made right behind the tensor itself."""
        from ai_edge_litert import schema_py_generated as schema

        tensors, operators = self._graph.tensors, self._graph.operators
        other = copy(tensors[place])
        other.name, other.quantization, other.buffer = other.name + b"_joined", wanted, 0
        tensors.append(other)
        convert = schema.OperatorT()
        convert.opcodeIndex = opcode_of(self._model, schema.BuiltinOperator.QUANTIZE)
        convert.inputs, convert.outputs = [place], [len(tensors) - 1]
        maker = next((k for k, o in enumerate(operators) if place in o.outputs), -1)
        operators.insert(maker + 1, convert)
        return len(tensors) - 1

    def put_constants(self, constants: Sequence[TrainedConstant]) -> Iterator[AppliedChange]:
        """Scale, zero point and integers of stored operands, found by their values. Returned are those that have others; a single
        number is as exact in any scale.
        """
        floats = {t.name: t for t in self._floats.subgraphs[0].tensors}
        by_values = {_in_any_order(each.values): each for each in constants}
        read = (o.inputs for o in self._graph.operators if kind_of(self._model, o) in _ARITHMETIC)
        for place in dict.fromkeys(int(i) for inputs in read for i in inputs):
            tensor = self._graph.tensors[place]
            before = floats.get(tensor.name)
            data = None if before is None else self._data(self._floats, before)
            if tensor.type != _INT8 or before is None or before.type != _FLOAT or data is None:
                continue
            values = np.frombuffer(bytes(data), np.float32)
            trained = by_values.get(_in_any_order(values))
            if trained is not None:
                integers = np.rint(values / np.float32(trained.scale)) + trained.zero_point
                self._fill(tensor, np.asarray(integers, np.int8))
                tensor.quantization = copy(tensor.quantization)
                tensor.quantization.scale = np.asarray([trained.scale], np.float32)
                tensor.quantization.zeroPoint = np.asarray([trained.zero_point], np.int64)
            elif len(values) > 1:
                yield AppliedChange(tensor.name.decode(), _OTHER_CONSTANT)

    def put_layers(self, layers: Sequence[TrainedLayer]) -> Iterator[AppliedChange]:
        """Integers of weights and biases, found by the float values of the weights. Returned are layers that have others."""
        floats = {self._output(self._floats, o): o for o in self._floats.subgraphs[0].operators}
        by_shape: dict[tuple[int, ...], list[TrainedLayer]] = {}
        for layer in layers:
            by_shape.setdefault(layer.values.shape, []).append(layer)
        for operator in self._graph.operators:
            kind, name = kind_of(self._model, operator), self._output(self._model, operator)
            weight = self._graph.tensors[operator.inputs[1]] if kind in (*_AXES, *_UNCHANGED) else None
            if weight is None or weight.type != _INT8 or self._data(self._model, weight) is None:
                continue
            known = name in floats and kind in _AXES
            values = self._weight(self._floats, floats[name], kind) if known else None
            trained = _with_values(by_shape, values)
            if trained is None:
                yield AppliedChange(name, _OTHERS)
            else:
                self._put(operator, kind, trained)

    def _put(self, operator: Any, kind: str, trained: TrainedLayer) -> None:
        """Weights with a scale per channel, and the bias in whole steps of the input's scale times theirs."""
        activation, weight, result = (
            self._graph.tensors[i] for i in (*operator.inputs[:2], operator.outputs[0])
        )
        shape, step = tuple(weight.shape), np.float32(activation.quantization.scale[0])
        integers = trained.integers.reshape(tuple(shape[a] for a in _AXES[kind])).copy()
        scale = np.broadcast_to(trained.scale, integers.shape[:1]).astype(np.float32)
        unheard = _unheard(scale, step, result)
        integers[unheard] = 0
        scale[unheard] = scale.max() if not unheard.all() else 1.0
        self._fill(weight, integers.transpose(np.argsort(_AXES[kind])))
        weight.quantization.scale = scale
        weight.quantization.zeroPoint = np.zeros(len(scale), np.int64)
        if len(operator.inputs) < 3 or operator.inputs[2] < 0:
            return
        bias = self._graph.tensors[operator.inputs[2]]
        if self._readers[int(operator.inputs[2])] > 1:  # the others may have other scales
            bias = copy(bias)
            self._graph.tensors.append(bias)
            operator.inputs = [*operator.inputs[:2], len(self._graph.tensors) - 1, *operator.inputs[3:]]
        values = self._bias_values(bias) if trained.bias is None else trained.bias
        steps, limits = step * scale, np.iinfo(np.int32)
        whole = np.clip(np.round(values / steps.astype(np.float64)), limits.min, limits.max)
        bias.quantization = copy(bias.quantization)
        bias.quantization.scale, bias.quantization.zeroPoint = steps, np.zeros(len(scale), np.int64)
        self._fill(bias, np.where(unheard, 0, whole).astype(np.int32))

    def _bias_values(self, bias: Any) -> Array:
        integers = np.frombuffer(bytes(self._model.buffers[bias.buffer].data), np.int32)
        return integers * np.asarray(bias.quantization.scale, np.float64)

    def _weight(self, model: Any, operator: Any, kind: str) -> Array | None:
        """float32 [outputs, inputs, kernel...]."""
        tensor = model.subgraphs[0].tensors[operator.inputs[1]]
        data = self._data(model, tensor)
        if tensor.type != _FLOAT or data is None or kind_of(model, operator) != kind:
            return None
        return np.frombuffer(bytes(data), np.float32).reshape(tuple(tensor.shape)).transpose(_AXES[kind])

    def _data(self, model: Any, tensor: Any) -> Any:
        data = model.buffers[tensor.buffer].data
        return data if data is not None and len(data) > 0 else None

    def _fill(self, tensor: Any, array: Array) -> None:
        """Into a buffer of its own: equal constants are stored once."""
        self._model.buffers.append(type(self._model.buffers[0])())
        tensor.buffer = len(self._model.buffers) - 1
        raw = np.frombuffer(np.ascontiguousarray(array).tobytes(), np.uint8)
        self._model.buffers[tensor.buffer].data = raw

    def _output(self, model: Any, operator: Any) -> str:
        return str(model.subgraphs[0].tensors[operator.outputs[0]].name.decode())


def _in_any_order(values: Array) -> bytes:
    """One for all layouts of these values."""
    return np.sort(values.astype(np.float32).ravel() + np.float32(0)).tobytes()  # -0.0 is 0.0


def _same_numbers(one: Any, other: Any) -> bool:
    return bool(one.scale[0] == other.scale[0] and one.zeroPoint[0] == other.zeroPoint[0])


def _unheard(scale: Array, step: np.float32, result: Any) -> Array:
    """The channels whose steps are so fine that no sum of 32 bits is half a step of the output: dead ones. XNNPACK refuses such a
    layer, and the kernel that takes its place rounds twice.
    """
    stored = result.quantization
    if stored is None or stored.scale is None or len(stored.scale) == 0:
        return np.zeros(len(scale), bool)
    ratio = scale.astype(np.float64) * float(step) / float(stored.scale[0])
    return np.asarray(ratio < _LEAST_RATIO, bool)


def _with_values(
    by_shape: Mapping[tuple[int, ...], list[TrainedLayer]], values: Array | None
) -> TrainedLayer | None:
    if values is None:
        return None
    shapes = (values.shape, (*values.shape, 1), (*values.shape, 1, 1), values.shape[:2], values.shape[:3])
    for shape in dict.fromkeys(shapes):
        for layer in by_shape.get(shape, ()):
            if np.array_equal(layer.values.ravel(), values.ravel()):
                return layer
    return None
