"""Changes a protobuf message field by field, whatever its schema: the wire format is enough to walk it.

Varints are replaced, messages inside are changed in turn (with their lengths kept true), fields doubled, dropped or swapped.
"""

import random
from collections.abc import Iterator

from tests.fuzz.mutations import NUMBERS, changed_bytes

_Field = tuple[int, int, int | bytes]  # number, wire type, value


def changed_message(content: bytes, rng: random.Random, depth: int = 0) -> bytes:
    """The same message with one to three of its fields changed, at any depth."""
    fields = _fields(content)
    if not fields:
        return changed_bytes(content, rng)
    for _ in range(rng.choice((1, 1, 2, 3)) if depth == 0 else 1):
        _change(fields, rng, depth)
    return b"".join(map(_written, fields))


def _change(fields: "list[_Field]", rng: random.Random, depth: int) -> None:
    if not fields:
        return
    at = rng.randrange(len(fields))
    number, wire, value = fields[at]
    kind = rng.random()
    if kind < 0.06:
        del fields[at]
    elif kind < 0.12:
        fields.insert(rng.randrange(len(fields) + 1), fields[at])
    elif kind < 0.15:
        fields[at] = (rng.choice((1, 2, 3, 5, 7, 11, 20, 25)), wire, value)
    elif isinstance(value, int):
        fields[at] = (
            number,
            wire,
            rng.choice((*NUMBERS, value + 1, value ^ 1, rng.randrange(30))) % (1 << 64),
        )
    else:
        inner = _fields(value) if len(value) > 1 else []
        if inner and depth < 12 and rng.random() < 0.85:
            fields[at] = (number, wire, changed_message(value, rng, depth + 1))
        else:
            others = [v for n, w, v in fields if w == 2 and n == number]
            fields[at] = (number, wire, rng.choice((changed_bytes(value, rng), b"", *others)))


def _fields(content: bytes) -> "list[_Field]":
    """Empty for what is no message."""
    try:
        return list(_read(content))
    except (IndexError, ValueError):
        return []


def _read(content: bytes) -> "Iterator[_Field]":
    at = 0
    while at < len(content):
        key, at = _varint(content, at)
        number, wire = key >> 3, key & 7
        if not number or wire not in (0, 1, 2, 5):
            raise ValueError
        value: int | bytes
        if wire == 0:
            value, at = _varint(content, at)
        else:
            size = 8 if wire == 1 else 4
            if wire == 2:
                size, at = _varint(content, at)
            if at + size > len(content):
                raise ValueError
            value, at = content[at : at + size], at + size
        yield number, wire, value


def _varint(content: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = content[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
        if shift > 63:
            raise ValueError


def _written(field: _Field) -> bytes:
    number, wire, value = field
    key = _as_varint(number << 3 | wire)
    if isinstance(value, int):
        return key + _as_varint(value)
    return key + (_as_varint(len(value)) if wire == 2 else b"") + value


def _as_varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
