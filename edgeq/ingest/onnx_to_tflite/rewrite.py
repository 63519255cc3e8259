"""Gives a .tflite file the inputs and outputs of its source: order, names, and a RESHAPE or TRANSPOSE where they differ.

Knows the flatbuffer's objects and these two operators.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from edgeq.ingest.onnx_to_tflite.ends import End, InFile
from edgeq.ingest.onnx_to_tflite.flat import Flat, code_of

if TYPE_CHECKING:
    from ai_edge_litert.schema_py_generated import TensorMapT, TensorT


def inputs_of(flat: Flat) -> tuple[InFile, ...]:
    return tuple(_in_file(flat, index) for index in flat.graph.inputs)


def outputs_of(flat: Flat) -> tuple[InFile, ...]:
    return tuple(_in_file(flat, index) for index in flat.graph.outputs)


def give_ends(flat: Flat, inputs: Sequence[End], outputs: Sequence[End]) -> None:
    """Changes the graph in place."""
    taken, given = list(flat.graph.inputs), list(flat.graph.outputs)
    flat.graph.inputs = [_input(flat, int(taken[end.position]), end) for end in inputs]
    flat.graph.outputs = []
    for end in outputs:
        flat.graph.outputs.append(_output(flat, int(given[end.position]), end))
    for signature in flat.model.signatureDefs or ():
        signature.inputs = _mapped(flat, inputs, flat.graph.inputs)
        signature.outputs = _mapped(flat, outputs, flat.graph.outputs)


def _in_file(flat: Flat, index: int) -> InFile:
    tensor = flat.graph.tensors[index]
    return InFile(tensor.name.decode(), _shape(tensor))


def _input(flat: Flat, index: int, end: End) -> int:
    """The tensor that takes the source's shape."""
    if _shape(flat.graph.tensors[index]) == end.shape:
        return _named(flat, index, end.name)
    outside = _like(flat, index, end.shape)
    _operator(flat, "Reshape", outside, _shape(flat.graph.tensors[index]), index, at=0)
    return _named(flat, outside, end.name)


def _output(flat: Flat, index: int, end: End) -> int:
    """The tensor that has the source's axes and shape."""
    if end.axes is not None:
        there = _shape(flat.graph.tensors[index])
        turned = _like(flat, index, tuple(there[a] for a in end.axes))
        _operator(flat, "Transpose", index, end.axes, turned)
        index = turned
    there = _shape(flat.graph.tensors[index])
    shared = index in flat.graph.outputs or any(index in list(o.inputs) for o in flat.graph.operators)
    if shared or (there != end.shape and np.prod(there) == np.prod(end.shape)):
        # An output of its own: the quantizer gives a tensor one type, and what the graph goes on with is not float.
        reshaped = _like(flat, index, end.shape)
        _operator(flat, "Reshape", index, end.shape, reshaped)
        index = reshaped
    return _named(flat, index, end.name)


def _operator(
    flat: Flat, kind: str, source: int, argument: tuple[int, ...], to: int, at: int | None = None
) -> None:
    """One operator with a constant second input, at the end of the graph or in front."""
    schema, graph = flat.schema, flat.graph
    operator = schema.OperatorT()
    operator.opcodeIndex = code_of(flat, getattr(schema.BuiltinOperator, kind.upper()))
    operator.inputs, operator.outputs = [source, _constant(flat, argument)], [to]
    operator.builtinOptionsType = getattr(schema.BuiltinOptions, f"{kind}Options")
    operator.builtinOptions = getattr(schema, f"{kind}OptionsT")()
    graph.operators.insert(len(graph.operators) if at is None else at, operator)


def _constant(flat: Flat, values: tuple[int, ...]) -> int:
    buffer = flat.schema.BufferT()
    buffer.data = np.frombuffer(np.asarray(values, "<i4").tobytes(), np.uint8)
    flat.model.buffers.append(buffer)
    tensor = flat.schema.TensorT()
    tensor.shape, tensor.type = [len(values)], flat.schema.TensorType.INT32
    tensor.buffer = len(flat.model.buffers) - 1
    flat.graph.tensors.append(tensor)
    return _named(flat, len(flat.graph.tensors) - 1, f"edgeq_axes_or_shape_{len(flat.graph.tensors)}")


def _like(flat: Flat, index: int, shape: tuple[int, ...]) -> int:
    """A new tensor of the same type, without a name yet."""
    tensor = flat.schema.TensorT()
    tensor.shape, tensor.type, tensor.buffer = list(shape), flat.graph.tensors[index].type, 0
    flat.graph.tensors.append(tensor)
    return len(flat.graph.tensors) - 1


def _named(flat: Flat, index: int, name: str) -> int:
    """Names the tensor; another one of that name gives way, since the quantizer knows tensors by their names."""
    for position, tensor in enumerate(flat.graph.tensors):
        if position != index and tensor.name == name.encode():
            tensor.name = f"{name}_inside".encode()
    flat.graph.tensors[index].name = name.encode()
    return index


def _mapped(flat: Flat, ends: Sequence[End], indices: Sequence[int]) -> "list[TensorMapT]":
    maps = []
    for end, index in zip(ends, indices, strict=True):
        entry = flat.schema.TensorMapT()
        entry.name, entry.tensorIndex = end.name.encode(), index
        maps.append(entry)
    return maps


def _shape(tensor: "TensorT") -> tuple[int, ...]:
    return tuple(int(d) for d in (tensor.shape if tensor.shape is not None else ()))
