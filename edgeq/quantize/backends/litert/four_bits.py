"""Stores the weights of fully connected layers two to a byte (INT4), where their int8 integers are of -8 to 7: the outputs stay the same.

XNNPACK has a kernel for them from LiteRT 2.1 on: bound by the weights' bytes, a row at a time of 1024 x 1024 and larger takes 0.5 times as
long as int8 on x86; with 8 rows or more the unpacking costs what the bytes save (python -m benchmarks.few_bit_kernels). INT2 takes as long as
int8, and both have only the plain loops for convolutions, which take 3 times as long: these stay int8.
"""

import math
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from edgeq.graphs.tflite import kind_of, packed, read_model
from edgeq.nouns.passes import AppliedChange

if TYPE_CHECKING:
    from ai_edge_litert.schema_py_generated import ModelT, OperatorT, TensorT

OLDEST = "2.1"  # LiteRT
ROWS = 4  # that many, or more, and int8 is as fast

_INT8, _INT4 = 9, 17  # of the schema's TensorType
_FEWEST = 1024  # weights: below, nothing is gained
_HOW = "weights two to a byte: the same integers in half the memory"


def store_in_four_bits(path: Path) -> tuple[AppliedChange, ...]:
    """Changes the static int8 file at `path`; gives its layers that have 4-bit weights now."""
    model = read_model(path)
    [graph] = model.subgraphs[:1]
    layers = [o for o in graph.operators if _can_be(o, model)]
    for operator in layers:
        tensor = graph.tensors[operator.inputs[1]]
        buffer = model.buffers[tensor.buffer]
        buffer.data, tensor.type = two_to_a_byte(_integers(model, tensor)), _INT4
    if layers:
        path.write_bytes(packed(model))
    names = (graph.tensors[o.outputs[0]].name.decode() for o in layers)
    return tuple(AppliedChange(name, _HOW) for name in names)


def two_to_a_byte(integers: npt.NDArray[np.int8]) -> npt.NDArray[np.uint8]:
    """In two's complement, the first of each pair in the low half."""
    pairs = np.resize(integers.reshape(-1), integers.size + integers.size % 2).view(np.uint8).reshape(-1, 2)
    return np.asarray((pairs[:, 0] & 15) | (pairs[:, 1] << 4), np.uint8)


def has_four_bits(path: Path) -> bool:
    return any(t.type == _INT4 for g in read_model(path).subgraphs for t in g.tensors)


def _can_be(operator: "OperatorT", model: "ModelT") -> bool:
    if kind_of(model, operator) != "FULLY_CONNECTED":
        return False
    tensors = model.subgraphs[0].tensors
    x, weight = tensors[operator.inputs[0]], tensors[operator.inputs[1]]
    if x.type != _INT8 or weight.type != _INT8 or len(weight.shape) != 2:
        return False
    rows = math.prod(max(int(d), 1) for d in x.shape) / int(weight.shape[1])
    # XNNPACK takes rows of whole bytes alone.
    if rows >= ROWS or weight.shape[1] % 2 or _readers(model)[weight.buffer] > 1:
        return False
    integers = _integers(model, weight)
    return integers.size >= _FEWEST and bool(integers.min() >= -8 and integers.max() <= 7)


def _readers(model: "ModelT") -> Counter[int]:
    """How many operators read a constant, by its buffer."""
    return Counter(
        g.tensors[i].buffer for g in model.subgraphs for o in g.operators for i in o.inputs if i >= 0
    )


def _integers(model: "ModelT", tensor: "TensorT") -> npt.NDArray[np.int8]:
    """Empty where it is no constant."""
    data: Any = model.buffers[tensor.buffer].data
    return np.zeros(0, np.int8) if data is None else np.frombuffer(bytes(data), np.int8)
