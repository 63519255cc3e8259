"""TFLite files: as facts (TfliteGraph), and as the flatbuffer's own objects, which are changed in place and packed again.

Facts are of the main graph. The flatbuffer's objects are those of ai_edge_litert.schema_py_generated.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgeq.errors import ExtraMissing
from edgeq.foreign import as_conversion_failed, quiet

if TYPE_CHECKING:
    from ai_edge_litert.schema_py_generated import ModelT, OperatorT, SubGraphT, TensorT

_LARGEST_OLD_CODE = 127  # in the field of one byte it stands for every larger one
_BITS = {"FLOAT64": 64, "INT64": 64, "UINT64": 64, "FLOAT16": 16, "INT16": 16, "UINT16": 16, "BFLOAT16": 16}
_BITS |= {"INT8": 8, "UINT8": 8, "BOOL": 8, "INT4": 4, "UINT4": 4, "INT2": 2}


@dataclass(frozen=True)
class Tensor:
    """`type` is the schema's word, INT8 or FLOAT32; open dimensions count as one in `bytes`."""

    name: str
    type: str
    shape: tuple[int, ...]
    constant: bool

    @property
    def bytes(self) -> int:
        return math.prod(max(d, 1) for d in self.shape) * _BITS.get(self.type, 32) // 8


@dataclass(frozen=True)
class Operator:
    """`kind` is the schema's word, CONV_2D; indices into the graph's tensors, absent inputs left out."""

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True)
class TfliteGraph:
    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    weight_bytes: int


def read_tflite(path: Path) -> TfliteGraph:
    """Raises ExtraMissing without LiteRT, ConversionFailed when the file is none."""
    return tflite_of(path.read_bytes(), path.name)


def tflite_of(content: bytes, name: str = "a quantized file") -> TfliteGraph:
    """Raises as `read_tflite`."""
    try:
        from ai_edge_litert import schema_py_generated as schema
        from ai_edge_litert.tools import flatbuffer_utils
    except ImportError:
        raise ExtraMissing(
            "LiteRT is not installed, so a .tflite file cannot be read", "pip install 'edgeq[litert]'"
        ) from None
    with quiet(), as_conversion_failed(f"cannot read {name} as TFLite"):
        model: ModelT = flatbuffer_utils.read_model_from_bytearray(content)
        kinds = _names(schema.BuiltinOperator)
        types = _names(schema.TensorType)
        codes = [
            kinds.get(max(c.builtinCode, c.deprecatedBuiltinCode), "CUSTOM") for c in model.operatorCodes
        ]
        graph = model.subgraphs[0]
        filled = [b.data is not None and len(b.data) > 0 for b in model.buffers]
        return TfliteGraph(
            tuple(
                Tensor(
                    t.name.decode() if t.name else "",
                    types[t.type],
                    tuple(int(d) for d in (t.shape if t.shape is not None else ())),
                    filled[t.buffer],
                )
                for t in graph.tensors
            ),
            tuple(
                Operator(codes[o.opcodeIndex], _indices(o.inputs), _indices(o.outputs))
                for o in graph.operators
            ),
            _indices(graph.inputs),
            _indices(graph.outputs),
            sum(len(b.data) for b in model.buffers if b.data is not None),
        )


def _names(enumeration: type) -> dict[int, str]:
    return {value: name for name, value in vars(enumeration).items() if isinstance(value, int)}


def _indices(raw: Iterable[int] | None) -> tuple[int, ...]:
    return tuple(int(i) for i in raw if i >= 0) if raw is not None else ()


def read_model(path: Path) -> "ModelT":
    """Raises ConversionFailed when the file is no TFLite."""
    from ai_edge_litert.tools import flatbuffer_utils

    with quiet(), as_conversion_failed(f"cannot read {path.name} as TFLite"):
        return _with_arrays(flatbuffer_utils.read_model(str(path)))


def unpacked(content: bytes) -> "ModelT":
    """Raises ConversionFailed when the bytes are no TFLite."""
    from ai_edge_litert.tools import flatbuffer_utils

    with quiet(), as_conversion_failed("cannot read a quantized file as TFLite"):
        return _with_arrays(flatbuffer_utils.read_model_from_bytearray(content))


def packed(model: "ModelT") -> bytes:
    from ai_edge_litert.tools import flatbuffer_utils

    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def producers_of(graph: "SubGraphT") -> "dict[int, OperatorT]":
    """By the index of each tensor that an operator makes."""
    return {int(tensor): operator for operator in graph.operators for tensor in operator.outputs}


def kind_of(model: "ModelT", operator: "OperatorT") -> str:
    """The schema's word, CONV_2D."""
    from ai_edge_litert.tools import flatbuffer_utils

    return str(flatbuffer_utils.opcode_to_name(model, operator.opcodeIndex))


def opcode_of(model: "ModelT", kind: int) -> int:
    """The place of a builtin operator in the file's table, to which it is added if it is not there."""
    from ai_edge_litert import schema_py_generated as schema

    for position, code in enumerate(model.operatorCodes):
        if max(code.builtinCode, code.deprecatedBuiltinCode) == kind:
            return position
    code = schema.OperatorCodeT()
    code.builtinCode, code.deprecatedBuiltinCode = kind, min(kind, _LARGEST_OLD_CODE)
    code.version = 1
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1


def is_float_or_quantized(tensor: "TensorT") -> bool:
    """Whether it holds float32, or integers with a scale."""
    q = tensor.quantization
    return tensor.type == 0 or (q is not None and q.scale is not None and len(q.scale) > 0)


def _with_arrays(model: "ModelT") -> "ModelT":
    """What is no array is packed byte by byte, which takes 30 times as long."""
    for buffer in model.buffers:
        if buffer.data is not None:
            buffer.data = np.frombuffer(buffer.data, np.uint8)
    return model
