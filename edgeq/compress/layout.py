"""Where in a model file its tensors lie: the formats whose bytes edgeq knows."""

import struct
from dataclasses import dataclass
from math import prod

import numpy as np

from edgeq.compress.onnx_layout import onnx_tensors
from edgeq.compress.stored_tensor import StoredTensor
from edgeq.compress.tflite_layout import is_tflite, tflite_tensors

_SMALLEST_BYTES = 64


@dataclass(frozen=True)
class Gap:
    """Bytes between tensors."""

    start: int
    size: int


def layout(content: bytes) -> "list[Gap | StoredTensor]":
    """All of `content`, in its order. A file that is of neither format, or damaged, is one gap."""
    try:
        found = tflite_tensors(content) if is_tflite(content) else onnx_tensors(content)
    except (ValueError, IndexError, OverflowError, struct.error):
        found = []
    parts: list[Gap | StoredTensor] = []
    at = 0
    for tensor in sorted(found, key=lambda t: (t.start, -t.size)):
        if tensor.start < at or tensor.start + tensor.size > len(content) or not _is_worth_it(tensor):
            continue
        if tensor.start > at:
            parts.append(Gap(at, tensor.start - at))
        parts.append(tensor)
        at = tensor.start + tensor.size
    if at < len(content):
        parts.append(Gap(at, len(content) - at))
    return parts


def _is_worth_it(tensor: StoredTensor) -> bool:
    return tensor.size >= _SMALLEST_BYTES and tensor.size == np.dtype(tensor.dtype).itemsize * prod(
        tensor.shape
    )
