"""Changes bytes, text and JSON at random. Everything is drawn from the `Random` that is passed in, so a seed repeats a case."""

import copy
import json
import random
import zlib
from collections.abc import Callable
from typing import Any

# Numbers where signs, widths and sums of sizes tip over.
NUMBERS = (
    0,
    1,
    -1,
    2,
    7,
    255,
    256,
    65535,
    65536,
    2**31 - 1,
    2**31,
    2**32,
    2**53,
    2**62,
    2**63 - 1,
    2**63,
    2**64,
    -(2**63),
)
_WORDS = (
    "",
    "a",
    "..",
    "../../x",
    "/etc/passwd",
    "\x00",
    "\x1b[2J",
    "é",
    "\ud800",
    "x" * 5000,
    "NaN",
    "1e400",
    "__class__",
    "[" * 3000,
)
_VALUES = (
    *NUMBERS,
    *_WORDS,
    0.5,
    -0.0,
    1e308,
    float("inf"),
    float("nan"),
    True,
    False,
    None,
    [],
    {},
    [[[[]]]],
    {"": {}},
)


def changed_bytes(content: bytes, rng: random.Random) -> bytes:
    """One to eight changes: bits, bytes, runs that are cut, doubled, swapped or overwritten."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        data = rng.choice(_BYTE_CHANGES)(data, rng)
    return bytes(data)


def changed_text(text: str, rng: random.Random) -> str:
    """Characters, words, numbers and lines of `text` changed, doubled or left out."""
    for _ in range(rng.choice((1, 1, 2, 3))):
        at = rng.randrange(len(text) + 1)
        to = min(len(text), at + rng.choice((0, 1, 1, 2, 8, 64)))
        text = (
            text[:at]
            + rng.choice((*_WORDS[:-2], *map(str, NUMBERS), text[at:to] * 2, *"\"'[]{}(),=:.#\n\t \\"))
            + text[to:]
        )
    return text


def changed_json(content: bytes, rng: random.Random) -> bytes:
    """The same document with values replaced, removed, doubled or moved; now and then its text changed as text."""
    if rng.random() < 0.15:
        return changed_text(content.decode(errors="replace"), rng).encode(errors="replace")
    try:
        document = changed_value(json.loads(content), rng)
    except ValueError:  # it was changed before
        return changed_bytes(content, rng)
    return json.dumps(document).encode(errors="replace")


def changed_value(document: Any, rng: random.Random) -> Any:
    """A copy of a JSON-like `document` with one to three of its places changed."""
    document = copy.deepcopy(document)
    for _ in range(rng.choice((1, 1, 2, 3))):
        places = list(_places(document))
        if not places:
            return rng.choice(_VALUES)
        holder, key = rng.choice(places)
        _change_place(holder, key, rng)
    return document


def nested(rng: random.Random, opening: str, closing: str) -> str:
    """Brackets in brackets, up to 100,000 deep."""
    depth = rng.choice((10, 500, 2000, 100_000))
    return opening * depth + closing * (depth if rng.random() < 0.5 else 0)


def deflated(beginning: bytes, zeros: int) -> bytes:
    """A raw DEFLATE stream that unpacks to `beginning` and that many zeros."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(beginning) + packer.compress(bytes(zeros)) + packer.flush()


def _places(value: Any) -> "list[tuple[Any, Any]]":
    found: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        found += [(value, key) for key in value]
        for one in value.values():
            found += _places(one)
    elif isinstance(value, list):
        found += [(value, index) for index in range(len(value))]
        for one in value:
            found += _places(one)
    return found


def _change_place(holder: Any, key: Any, rng: random.Random) -> None:
    old, kind = holder[key], rng.randrange(6)
    if kind == 0:
        del holder[key]
    elif kind == 1 and isinstance(holder, list):
        holder.insert(key, copy.deepcopy(old))
    elif kind == 1:
        holder[str(rng.choice(_VALUES))] = holder.pop(key)
    elif kind == 2 and isinstance(old, str):
        holder[key] = changed_text(old, rng)
    elif kind == 3 and isinstance(old, (int, float)):
        holder[key] = rng.choice((old + 1, -old, old * 1000, *NUMBERS))
    elif kind == 4:
        holder[key] = [old] if rng.random() < 0.5 else {"x": old}
    else:
        holder[key] = copy.deepcopy(rng.choice(_VALUES))


def _flip(data: bytearray, rng: random.Random) -> bytearray:
    if data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return data


def _overwrite(data: bytearray, rng: random.Random) -> bytearray:
    at, number = rng.randrange(len(data) + 1), rng.choice(NUMBERS)
    width = rng.choice((1, 2, 4, 8))
    data[at : at + width] = (number % (1 << 8 * width)).to_bytes(width, rng.choice(("little", "big")))
    return data


def _cut(data: bytearray, rng: random.Random) -> bytearray:
    at = rng.randrange(len(data) + 1)
    return data[:at] if rng.random() < 0.3 else data[:at] + data[at + rng.choice((1, 2, 8, 64)) :]


def _double(data: bytearray, rng: random.Random) -> bytearray:
    at = rng.randrange(len(data) + 1)
    part = data[at : at + rng.choice((1, 4, 16, 256))]
    return data[:at] + part * rng.choice((1, 2, 50)) + data[at:]


def _swap(data: bytearray, rng: random.Random) -> bytearray:
    a, b, size = rng.randrange(len(data) + 1), rng.randrange(len(data) + 1), rng.choice((1, 4, 16))
    data[a : a + size], data[b : b + size] = data[b : b + size], data[a : a + size]
    return data


_BYTE_CHANGES: tuple[Callable[[bytearray, random.Random], bytearray], ...] = (
    _flip,
    _flip,
    _overwrite,
    _overwrite,
    _cut,
    _double,
    _swap,
)
