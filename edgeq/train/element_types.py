"""ONNX element types as torch holds them, and the integers that a quantized type has.

torch has no arithmetic for unsigned 16 to 64 bits and none for 2 and 4 bits: such values are held in the next wider type
that has it. A 64-bit unsigned value above 2^63 is not to be had.
"""

import numpy as np
import onnx
import torch
from onnx import TensorProto, numpy_helper

_HELD = {
    TensorProto.FLOAT: torch.float32,
    TensorProto.DOUBLE: torch.float64,
    TensorProto.FLOAT16: torch.float16,
    TensorProto.BFLOAT16: torch.bfloat16,
    TensorProto.INT8: torch.int8,
    TensorProto.INT16: torch.int16,
    TensorProto.INT32: torch.int32,
    TensorProto.INT64: torch.int64,
    TensorProto.UINT8: torch.uint8,
    TensorProto.UINT16: torch.int32,
    TensorProto.UINT32: torch.int64,
    TensorProto.UINT64: torch.int64,
    TensorProto.BOOL: torch.bool,
    TensorProto.INT4: torch.int8,
    TensorProto.UINT4: torch.uint8,
    getattr(TensorProto, "INT2", -1): torch.int8,  # onnx 1.20
    getattr(TensorProto, "UINT2", -2): torch.uint8,
}
_INTEGERS = {
    TensorProto.INT8: (-128, 127),
    TensorProto.UINT8: (0, 255),
    TensorProto.INT16: (-32768, 32767),
    TensorProto.UINT16: (0, 65535),
    TensorProto.INT4: (-8, 7),
    TensorProto.UINT4: (0, 15),
    getattr(TensorProto, "INT2", -1): (-2, 1),
    getattr(TensorProto, "UINT2", -2): (0, 3),
}


def torch_type(element_type: int) -> torch.dtype | None:
    """None where torch has none: strings, complex numbers and 8-bit floats."""
    return _HELD.get(element_type)


def integer_range(element_type: int) -> tuple[int, int] | None:
    """The least and the largest integer of a type that QuantizeLinear writes; None for any other."""
    return _INTEGERS.get(element_type)


def is_below_8_bits(element_type: int) -> bool:
    """An integer of 2 or 4 bits: held as one of 8."""
    low, high = integer_range(element_type) or (-128, 127)
    return high - low < 255


def torch_tensor(stored: onnx.TensorProto) -> torch.Tensor | None:
    """The stored values in memory of their own; None where torch has no such type."""
    held = torch_type(stored.data_type)
    if held is None:
        return None
    values = numpy_helper.to_array(stored)
    if held in (torch.float16, torch.bfloat16):
        return torch.tensor(values.astype(np.float32)).to(held)
    number = np.dtype(str(held).removeprefix("torch."))
    return torch.tensor(np.ascontiguousarray(values.astype(number, copy=False)).reshape(values.shape))
