"""Tensors of an ONNX file, by the fields of its message (https://protobuf.dev/programming-guides/encoding); nothing is copied."""

from collections.abc import Iterator
from dataclasses import dataclass

from edgeq.compress.stored_tensor import StoredTensor

# Numbers of fields in onnx.proto.
_GRAPH, _INITIALIZER, _DIMS, _DATA_TYPE, _RAW_DATA = 7, 5, 1, 2, 9
_VARINT, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5  # wire types
_DTYPES = {1: "<f4", 2: "u1", 3: "i1", 6: "<i4", 10: "<f2"}
_LONGEST_VARINT = 10


@dataclass(frozen=True)
class _Field:
    """`value`: of a varint the number, of bytes where they begin, `end` where they end."""

    number: int
    wire: int
    value: int
    end: int


def onnx_tensors(content: bytes) -> list[StoredTensor]:
    """Of the main graph's initializers those that have raw data. Raises ValueError or IndexError for what is no message."""
    found = []
    for graph in _fields(content, 0, len(content)):
        if (graph.number, graph.wire) == (_GRAPH, _BYTES):
            for field in _fields(content, graph.value, graph.end):
                if (field.number, field.wire) == (_INITIALIZER, _BYTES):
                    found += _tensor(content, field)
    return found


def _tensor(content: bytes, initializer: _Field) -> list[StoredTensor]:
    dims: list[int] = []
    dtype, raw = None, None
    for field in _fields(content, initializer.value, initializer.end):
        if field.number == _DIMS and field.wire == _VARINT:
            dims.append(field.value)
        elif field.number == _DIMS and field.wire == _BYTES:
            dims += _packed(content, field)
        elif field.number == _DATA_TYPE:
            dtype = _DTYPES.get(field.value)
        elif (field.number, field.wire) == (_RAW_DATA, _BYTES):
            raw = field
    if dtype is None or raw is None or not dims:
        return []
    return [StoredTensor(raw.value, raw.end - raw.value, dtype, tuple(dims))]


def _packed(content: bytes, field: _Field) -> Iterator[int]:
    at = field.value
    while at < field.end:
        value, at = _varint(content, at)
        yield value


def _fields(content: bytes, at: int, end: int) -> Iterator[_Field]:
    while at < end:
        key, at = _varint(content, at)
        number, wire = key >> 3, key & 7
        if wire == _VARINT:
            value, at = _varint(content, at)
            yield _Field(number, wire, value, at)
            continue
        if wire == _BYTES:
            size, at = _varint(content, at)
        elif wire in (_FOUR_BYTES, _EIGHT_BYTES):
            size = 4 if wire == _FOUR_BYTES else 8
        else:
            raise ValueError(f"wire type {wire}")
        if at + size > end:
            raise ValueError("a field that is longer than its message")
        yield _Field(number, wire, at, at + size)
        at += size


def _varint(content: bytes, at: int) -> tuple[int, int]:
    value = 0
    for k in range(_LONGEST_VARINT):
        byte = content[at + k]
        value |= (byte & 0x7F) << (7 * k)
        if byte < 0x80:
            return value, at + k + 1
    raise ValueError("a number of more than ten bytes")
