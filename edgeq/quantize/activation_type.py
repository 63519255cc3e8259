"""A QDQ file with its activations in another integer type: int8 becomes uint8, or the other way round, and no value changes.

q - zero_point stays, as both are moved by 128: a network that was trained for one target is the same network on the other. Weights
keep their type, which is int8 on every target.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from edgeq.graphs.onnx_edit import copied
from edgeq.graphs.onnx_index import OnnxIndex, index_of
from edgeq.graphs.op_sets import HEAVY

if TYPE_CHECKING:
    from onnx import ModelProto

_OTHER = {"int8": "uint8", "uint8": "int8"}
_MOVED = 128


def with_activation_type(model: "ModelProto", dtype: str) -> "ModelProto":
    """A copy in which activations, and constants that stand for some, are `dtype`: int8 or uint8."""
    from onnx import numpy_helper

    made = copied(model)
    index = index_of(made.graph)
    for name in sorted(_integers_of_activations(index)):
        stored = index.constants[name]
        old = numpy_helper.to_array(stored)
        if str(old.dtype) == _OTHER[dtype]:
            by = _MOVED if dtype == "uint8" else -_MOVED
            moved = (old.astype(np.int16) + by).astype(dtype)
            stored.CopyFrom(numpy_helper.from_array(moved, name))
    return made


def activation_type_of(model: "ModelProto") -> str:
    """ "int8" or "uint8"; "" where nothing is quantized."""
    index = index_of(model.graph)
    types = {str(_array(index, name).dtype) for name in _integers_of_activations(index)}
    return next(iter(types & set(_OTHER)), "")


def _integers_of_activations(index: OnnxIndex) -> set[str]:
    """Constants: zero points, the ends of a Clip on integers, and operands that are stored quantized but are no weights."""
    found: set[str] = set()
    for node in index.nodes:
        if node.op_type == "QuantizeLinear":
            found.update(node.input[2:3])
            clips = (u for u, _ in index.uses(node.output[0]) if u.op_type == "Clip")
            found.update(name for clip in clips for name in clip.input[1:])
        if node.op_type == "DequantizeLinear" and not _is_of_weight(index, node.input[0], node.output[0]):
            found.update(name for name in (node.input[0], *node.input[2:3]) if name in index.constants)
    return {name for name in found if name and str(_array(index, name).dtype) in _OTHER}


def _is_of_weight(index: OnnxIndex, integers: str, output: str) -> bool:
    uses = index.uses(output)
    return integers in index.constants and any(n.op_type in HEAVY and place > 0 for n, place in uses)


def _array(index: OnnxIndex, name: str) -> npt.NDArray[Any]:
    from onnx import numpy_helper

    return np.asarray(numpy_helper.to_array(index.constants[name]))
