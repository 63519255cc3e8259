"""Tensors of a .tflite file, by the offsets of its flatbuffer (https://flatbuffers.dev/internals); nothing is copied."""

import struct
from collections.abc import Iterator

from edgeq.compress.stored_tensor import StoredTensor

# Places of fields in schema.fbs: of Model, SubGraph, Tensor, Buffer and QuantizationParameters.
_SUBGRAPHS, _BUFFERS = 2, 4
_TENSORS = 0
_SHAPE, _TYPE, _BUFFER, _QUANTIZATION = 0, 1, 2, 4
_DATA = 0
_SCALE = 2
_DTYPES = {0: "<f4", 1: "<f2", 2: "<i4", 3: "u1", 9: "i1"}
_MOST = 1 << 24  # of entries of a vector


def is_tflite(content: bytes) -> bool:
    return content[4:8] == b"TFL3"


def tflite_tensors(content: bytes) -> list[StoredTensor]:
    """Constants, and the scales of all tensors. Raises ValueError or IndexError for what is no flatbuffer."""
    model = _unsigned(content, 0)
    data = [_bytes_of(content, table) for table in _tables(content, model, _BUFFERS)]
    found: dict[int, StoredTensor] = {}
    for graph in _tables(content, model, _SUBGRAPHS):
        for tensor in _tables(content, graph, _TENSORS):
            for stored in (*_constant(content, tensor, data), *_scales(content, tensor)):
                found.setdefault(stored.start, stored)
    return list(found.values())


def _constant(content: bytes, tensor: int, data: list[tuple[int, int]]) -> Iterator[StoredTensor]:
    buffer, kind = _field(content, tensor, _BUFFER), _field(content, tensor, _TYPE)
    number = _unsigned(content, buffer) if buffer else 0
    dtype = _DTYPES.get(content[kind] if kind else 0)
    shape = _vector(content, tensor, _SHAPE)
    if number >= len(data) or dtype is None or shape is None:
        return
    start, size = data[number]
    dims = struct.unpack_from(f"<{shape[1]}i", content, shape[0])
    if size and dims and min(dims) > 0:
        yield StoredTensor(start, size, dtype, dims)


def _scales(content: bytes, tensor: int) -> Iterator[StoredTensor]:
    at = _field(content, tensor, _QUANTIZATION)
    if not at:
        return
    table = at + _unsigned(content, at)
    vector = _vector(content, table, _SCALE)
    if vector is not None and vector[1]:
        yield StoredTensor(vector[0], 4 * vector[1], "<f4", (vector[1],))


def _bytes_of(content: bytes, table: int) -> tuple[int, int]:
    return _vector(content, table, _DATA) or (0, 0)


def _tables(content: bytes, table: int, place: int) -> Iterator[int]:
    vector = _vector(content, table, place)
    for at in range(vector[0], vector[0] + 4 * vector[1], 4) if vector else ():
        yield at + _unsigned(content, at)


def _vector(content: bytes, table: int, place: int) -> tuple[int, int] | None:
    """Where its entries begin, and how many there are."""
    at = _field(content, table, place)
    if not at:
        return None
    vector = at + _unsigned(content, at)
    count = _unsigned(content, vector)
    if count > min(_MOST << 8, len(content)):
        raise ValueError("a vector that is longer than the file")
    return vector + 4, count


def _field(content: bytes, table: int, place: int) -> int:
    """Where it is; 0 where it has its default."""
    fields = table - _number(content, table, "<i")
    offset = 4 + 2 * place
    if fields < 0 or offset >= _number(content, fields, "<H"):
        return 0
    there = _number(content, fields + offset, "<H")
    return table + there if there else 0


def _unsigned(content: bytes, at: int) -> int:
    return _number(content, at, "<I")


def _number(content: bytes, at: int, form: str) -> int:
    if not 0 <= at <= len(content) - struct.calcsize(form):
        raise ValueError("an offset outside of the file")
    return int(struct.unpack_from(form, content, at)[0])
