"""A .tflite file as the flatbuffer's own objects, which are changed in place and packed again."""

from pathlib import Path
from typing import Any

import numpy as np

from edgeq.foreign import quiet, translated

_LARGEST_OLD_CODE = 127  # in the field of one byte it stands for every larger one


def read_model(path: Path) -> Any:
    """Raises ConversionFailed when the file is no TFLite."""
    from ai_edge_litert.tools import flatbuffer_utils

    with quiet(), translated(f"cannot read {path.name} as TFLite"):
        return _with_arrays(flatbuffer_utils.read_model(str(path)))


def unpacked(content: bytes) -> Any:
    """Raises ConversionFailed when the bytes are no TFLite."""
    from ai_edge_litert.tools import flatbuffer_utils

    with quiet(), translated("cannot read a quantized file as TFLite"):
        return _with_arrays(flatbuffer_utils.read_model_from_bytearray(content))


def packed(model: Any) -> bytes:
    from ai_edge_litert.tools import flatbuffer_utils

    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def kind_of(model: Any, operator: Any) -> str:
    """The schema's word, CONV_2D."""
    from ai_edge_litert.tools import flatbuffer_utils

    return str(flatbuffer_utils.opcode_to_name(model, operator.opcodeIndex))


def opcode_of(model: Any, kind: int) -> int:
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


def stands_for_reals(tensor: Any) -> bool:
    """Whether it holds float32, or integers with a scale."""
    q = tensor.quantization
    return tensor.type == 0 or (q is not None and q.scale is not None and len(q.scale) > 0)


def _with_arrays(model: Any) -> Any:
    """What is no array is packed byte by byte, which takes 30 times as long."""
    for buffer in model.buffers:
        if buffer.data is not None:
            buffer.data = np.frombuffer(buffer.data, np.uint8)
    return model
