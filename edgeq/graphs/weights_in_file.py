"""Reads an ONNX file without its large weights: where in the file each lies stands in their place, as external data.

onnx and protobuf read all of a file to say what is in it, twice its size in memory. Here the file is mapped, and the
fields of the message are walked (https://protobuf.dev/programming-guides/encoding): of 100 MB some 100 kB are read.
"""

import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgeq.foreign import as_conversion_failed

from .weightless import LARGE_BYTES

if TYPE_CHECKING:
    from onnx import ModelProto

# Numbers of fields in onnx.proto.
_GRAPH, _INITIALIZER, _RAW_DATA = 7, 5, 9
_VARINT, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5  # wire types


@dataclass(frozen=True)
class _Field:
    """Of the message's bytes it takes those from `start` to `end`, its value those from `value` on."""

    number: int
    wire: int
    start: int
    value: int
    end: int


def read_weightless(path: Path) -> "ModelProto":
    """The model at `path`, whose large initializers are external data in `path` itself. Raises ConversionFailed."""
    from onnx import ModelProto

    with (
        as_conversion_failed(f"cannot read {path.name} as ONNX"),
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,  # an empty file cannot be mapped
    ):
        return ModelProto.FromString(_without_weights(content, path.name))


def _without_weights(content: mmap.mmap, name: str) -> bytes:
    kept = []
    for field in _fields(content, 0, len(content)):
        if (field.number, field.wire) == (_GRAPH, _BYTES):
            kept.append(_message(_GRAPH, b"".join(_graph(content, field, name))))
        else:
            kept.append(content[field.start : field.end])
    return b"".join(kept)


def _graph(content: mmap.mmap, graph: _Field, name: str) -> Iterator[bytes]:
    for field in _fields(content, graph.value, graph.end):
        large = field.end - field.value >= LARGE_BYTES
        if large and (field.number, field.wire) == (_INITIALIZER, _BYTES):
            yield _message(_INITIALIZER, _tensor(content, field, name))
        else:
            yield content[field.start : field.end]


def _tensor(content: mmap.mmap, tensor: _Field, name: str) -> bytes:
    """Its bytes, with the place of its raw data; as it is where its values have another form, or are a vector."""
    from onnx import TensorProto

    fields = list(_fields(content, tensor.value, tensor.end))
    raw = [field for field in fields if (field.number, field.wire) == (_RAW_DATA, _BYTES)]
    if len(raw) != 1:
        return content[tensor.value : tensor.end]
    rest = TensorProto.FromString(
        b"".join(content[field.start : field.end] for field in fields if field is not raw[0])
    )
    if rest.data_location == TensorProto.EXTERNAL or len(rest.dims) < 2:
        return content[tensor.value : tensor.end]
    rest.data_location = TensorProto.EXTERNAL
    place = {"location": name, "offset": raw[0].value, "length": raw[0].end - raw[0].value}
    for key, value in place.items():
        rest.external_data.add(key=key, value=str(value))
    found: bytes = rest.SerializeToString()
    return found


def _fields(content: mmap.mmap, at: int, end: int) -> Iterator[_Field]:
    """Of the message from `at` to `end`. Raises ValueError where it is none."""
    while at < end:
        key, value = _varint(content, at, end)
        number, wire = key >> 3, key & 7
        if wire == _VARINT:
            _, after = _varint(content, value, end)
        elif wire == _BYTES:
            length, value = _varint(content, value, end)
            after = value + length
        elif wire in (_EIGHT_BYTES, _FOUR_BYTES):
            after = value + (8 if wire == _EIGHT_BYTES else 4)
        else:
            raise ValueError(f"a field of the wire type {wire}")
        if after > end:
            raise ValueError("a field that ends behind its message")
        yield _Field(number, wire, at, value, after)
        at = after


def _varint(content: mmap.mmap, at: int, end: int) -> tuple[int, int]:
    """The number at `at`, and where it ends."""
    number = shift = 0
    while at < end and shift < 64:
        byte = content[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return number, at
    raise ValueError("a number that does not end")


def _message(number: int, content: bytes) -> bytes:
    return _encoded(number << 3 | _BYTES) + _encoded(len(content)) + content


def _encoded(number: int) -> bytes:
    found = bytearray()
    while number >= 0x80:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)
