"""Parses untrusted JSON: bounded in size, depth, numbers and objects. Ships to the device.

`json.loads` alone takes NaN, 1e400, integers of any length and lone surrogates, ends in RecursionError on deep nesting, and
turns 30 MB of "[[],[],..." into a gigabyte of lists.
"""

import json
import re

# Of the largest answer there is, the measurement of a race: 100,000 samples of ten digits take one megabyte.
LARGEST = 32 << 20
_MOST_CONTAINERS = 400_000
_DEEPEST = 100
_LONGEST_NUMBER = 40  # characters: an integer of 64 bits has 20, a float as Python writes it 24
_INT64 = range(-(1 << 63), 1 << 64)
_STRING_OR_BRACKET = re.compile(rb'"[^"]*"?|[\[\]{}]')
_OTHERS = bytes(set(range(256)) - set(b'"[]{}'))
_SURROGATE = re.compile("[\ud800-\udfff]")


def parse_json(data: bytes, largest: int = LARGEST) -> object:
    """The value that the UTF-8 text `data` stands for. A lone surrogate, which no file and no screen can take, becomes U+FFFD.

    Raises ValueError with one short line: larger than `largest` bytes, no UTF-8, no JSON, nested too deeply, a number that
    is not finite or has more than 64 bits.
    """
    if len(data) > largest:
        raise ValueError(f"it is larger than {largest} bytes")
    if data.count(b"[") + data.count(b"{") > _MOST_CONTAINERS:
        raise ValueError(f"it has more than {_MOST_CONTAINERS} lists and objects")
    _require_shallow(data)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"it is not UTF-8: byte {error.start} is {data[error.start]:#04x}") from None
    value = _loaded(text)
    return _without_surrogates(value) if "\\ud" in text or "\\uD" in text else value


def _loaded(text: str) -> object:
    try:
        return json.loads(text, parse_int=_integer, parse_float=_finite, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"{error.msg} at character {error.pos}") from None


def _require_shallow(data: bytes) -> None:
    """Before the parser sees it: how deep Python's own goes depends on its version and on who calls."""
    if data.count(b"[") + data.count(b"{") <= _DEEPEST:
        return
    bare = data.replace(b"\\\\", b"").replace(b'\\"', b"").translate(None, _OTHERS)
    depth = 0
    for token in _STRING_OR_BRACKET.finditer(bare):
        first = bare[token.start()]
        if first in b"[{":
            depth += 1
            if depth > _DEEPEST:
                raise ValueError(f"it is nested more than {_DEEPEST} deep")
        elif first in b"]}":
            depth -= 1


def _integer(digits: str) -> int:
    if len(digits) <= _LONGEST_NUMBER:
        number = int(digits)
        if number in _INT64:
            return number
    raise ValueError(f"the number {digits[:_LONGEST_NUMBER]} has more than 64 bits")


def _finite(digits: str) -> float:
    number = float(digits) if len(digits) <= 1000 else float("inf")
    if number - number != 0.0:
        raise ValueError(f"the number {digits[:_LONGEST_NUMBER]} is not finite")
    return number


def _refuse(constant: str) -> object:
    raise ValueError(f"{constant} is no number of JSON")


def _without_surrogates(value: object) -> object:
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    return value
