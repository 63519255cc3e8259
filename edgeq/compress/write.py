"""Pieces as the bytes of a compressed file: the plan, the lanes with their words, and what lzma packs."""

import lzma
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import log2

import numpy as np

from edgeq.compress.classes import Classes, classified
from edgeq.compress.expand import HEADER, MAGIC
from edgeq.compress.expand.fill import row_slices
from edgeq.compress.expand.plan import (
    CODED,
    COPY,
    DIFFERENCE,
    ENOUGH_LANES,
    IN_PLAIN,
    PALETTE,
    PLAIN,
    STORED,
    TENSOR,
    TURNED,
    Levels,
)
from edgeq.compress.expand.streams import DICTIONARY_BYTES
from edgeq.compress.expand.tables import MOST_TABLES, frequencies
from edgeq.compress.interleave import Vector, interleaved
from edgeq.compress.levels import BookAlongAxis
from edgeq.compress.pieces import CopyPiece, Piece, PlainPiece, Plane, Stored, Symbols, TensorPiece

_STEPS = 768  # of all lanes, at about which a lane's state costs little and a step's calls of numpy as well
_FEWEST_LANES = 512
_LZMA = ((3, 0, 2), (0, 2, 2), (0, 0, 0))  # lc, lp, pb
_TRIED_BYTES = 256 << 10


@dataclass(frozen=True)
class _Tables:
    """`coded`: of each plane of symbols, by its identity, its classes and which tables it uses."""

    codes: tuple[bytes, ...]
    coded: dict[int, tuple[Classes, int, int, int]]


def written(pieces: Sequence[Piece], size: int) -> bytes:
    planes = [p for piece in pieces if isinstance(piece, TensorPiece) for p in piece.planes]
    symbols = [p for p in planes if isinstance(p, Symbols)]
    tables = _tables_of(symbols)
    count = sum(p.values.size for p in symbols)
    lanes = lanes_for(count)
    plan = _plan(pieces, tables, lanes)
    plain = b"".join(_plain_bytes(pieces))
    stored = b"".join(p.content for p in planes if isinstance(p, Stored))
    packed = packed_best(plain) if plain else b""
    packed_plan = packed_best(plan)
    rest = packed + stored
    carried, after = rest[: 2 * lanes], rest[2 * lanes :]
    vectors = [v for p in symbols for v in _vectors(p, tables)]
    states, words = interleaved(vectors, [frequencies(c) for c in tables.codes], lanes, carried)
    header = HEADER.pack(MAGIC, size, len(packed_plan), len(plan), len(packed), len(plain), len(stored))
    return b"".join((header, packed_plan, states, words, after))


def lanes_for(count: int) -> int:
    """A power of two: of many symbols about _STEPS for each, of few at least a fourth of that."""
    if not count:
        return 0
    wanted = max(count / _STEPS, min(_FEWEST_LANES, 4 * count / _STEPS), 1)
    return int(min(2 ** round(log2(wanted)), ENOUGH_LANES))


def packed_best(content: bytes) -> bytes:
    """By lzma with whichever of a few parameters is best; by the first alone where there is much."""
    choices = _LZMA if len(content) <= _TRIED_BYTES else _LZMA[:1]
    return min((_packed(content, *choice) for choice in choices), key=len)


def _packed(content: bytes, lc: int, lp: int, pb: int) -> bytes:
    filters = [
        {
            "id": lzma.FILTER_LZMA2,
            "preset": 9 | lzma.PRESET_EXTREME,
            "dict_size": DICTIONARY_BYTES,
            "lc": lc,
            "lp": lp,
            "pb": pb,
        }
    ]
    return lzma.compress(content, lzma.FORMAT_RAW, filters=filters)


def _tables_of(symbols: Sequence[Symbols]) -> _Tables:
    """Each kind of symbols has tables of its own."""
    codes: list[bytes] = []
    coded: dict[int, tuple[Classes, int, int, int]] = {}
    for like in sorted({s.like for s in symbols}):
        ours = [s for s in symbols if s.like == like]
        found = classified([s.values for s in ours], coarse=like != "integers")
        low, high = len(codes), len(codes) + len(found.codes) - 1
        for s, each in zip(ours, found.tensors, strict=True):
            coded[id(s)] = (each, low, high, low + found.start)
        codes += found.codes
    assert len(codes) <= MOST_TABLES
    return _Tables(tuple(codes), coded)


def _vectors(plane: Symbols, tables: _Tables) -> Iterator[Vector]:
    classes, low, _, _ = tables.coded[id(plane)]
    for rows in row_slices(plane.values.shape):
        data = np.ascontiguousarray(plane.values[rows]).view(np.uint8).reshape(-1)
        yield data, (classes.contexts[rows].reshape(-1) + np.uint8(low))


def _plain_bytes(pieces: Sequence[Piece]) -> Iterator[bytes]:
    for piece in pieces:
        if isinstance(piece, PlainPiece):
            yield piece.content
        elif isinstance(piece, TensorPiece):
            yield piece.palette
            yield from (p for p in piece.planes if isinstance(p, bytes))


def _plan(pieces: Sequence[Piece], tables: _Tables, lanes: int) -> bytes:
    out = bytearray(number(lanes) + number(len(tables.codes)))
    for codes in tables.codes:
        out += number(len(codes)) + codes
    for piece in pieces:
        if isinstance(piece, PlainPiece):
            out += number(PLAIN) + number(len(piece.content))
        elif isinstance(piece, CopyPiece):
            out += _copy(piece)
        else:
            out += _tensor(piece, tables)
    return bytes(out)


def _copy(piece: CopyPiece) -> bytes:
    if not piece.axes:
        return number(COPY) + number(piece.base) + number(piece.size)
    return number(TURNED) + number(piece.base) + _shape(piece.width, piece.shape) + bytes(piece.axes)


def _tensor(piece: TensorPiece, tables: _Tables) -> bytes:
    out = number(TENSOR) + _shape(piece.width, piece.shape) + number(piece.form)
    if piece.form == DIFFERENCE:
        out += number(piece.base)
    if piece.form == PALETTE:
        out += number(len(piece.palette) // piece.width) + number(piece.middle)
    return out + b"".join(_plane(p, tables) for p in piece.planes)


def _shape(width: int, shape: Sequence[int]) -> bytes:
    return number(width) + number(len(shape)) + b"".join(map(number, shape))


def _plane(plane: Plane, tables: _Tables) -> bytes:
    if isinstance(plane, bytes):
        return number(IN_PLAIN)
    if isinstance(plane, Stored):
        return number(STORED)
    classes, low, high, start = tables.coded[id(plane)]
    first = min(max(start, low), high)  # a table that there is; the first axis has what is missing
    out = number(CODED) + number(low) + number(high) + number(first)
    for axis, each in enumerate(classes.along):
        if each is None:
            out += number(0)
        else:
            out += number(1) + (each + (start - first) * (axis == 0)).astype(np.int8).tobytes()
    if plane.levels is None:
        return out + number(0)
    if isinstance(plane.levels, BookAlongAxis):
        books = plane.levels.levels
        changes = np.diff(books, axis=0, prepend=np.zeros((1, books.shape[1]), np.uint8))
        return out + number(2) + number(plane.levels.axis) + number(len(books)) + changes.tobytes()
    levels = Levels(plane.levels.axis, plane.levels.first.tobytes(), plane.levels.step.tobytes())
    return out + number(1) + number(levels.axis) + levels.first + levels.step


def number(value: int) -> bytes:
    """As edgeq/compress/expand/fields.py reads it."""
    found = bytearray()
    while value >= 0x80:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])
