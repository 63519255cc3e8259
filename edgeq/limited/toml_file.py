"""TOML of the user's own, project or target: a table of plain values."""

import tomllib
from pathlib import Path
from typing import Any

from edgeq.errors import TargetRefused
from edgeq.limited.reader import Reader

READER = Reader("edgeq.limited.toml_file:read", TargetRefused, "the file")
LARGEST = 256_000  # bytes; a project file has hundreds


def read(path: str) -> Any:
    """Runs in the child. Raises TargetRefused with the place in the text."""
    try:
        with Path(path).open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise TargetRefused(f"cannot read {path}: {error.strerror}") from None
    if len(content) > LARGEST:
        raise TargetRefused(f"{path} has more than {LARGEST:,} bytes: that is no file of edgeq's")
    try:
        return _plain(tomllib.loads(content.decode()))
    except RecursionError:
        raise TargetRefused(f"{path} is not TOML that edgeq reads: its values are nested too deep") from None
    except ValueError as error:  # text that is not UTF-8, no TOML, a date or number that Python does not have
        raise TargetRefused(f"{path} is not TOML: {error}") from None


def _plain(value: object) -> object:
    """Raises ValueError for what no key of edgeq takes: dates and times, text with the character 0, whole numbers beyond 64
    bits.
    """
    if isinstance(value, dict):
        return {_plain(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if not isinstance(value, (str, int, float, bool)):
        raise ValueError(f"{value} is a date or a time, and no key takes one: write it in quotes")
    if isinstance(value, str) and "\0" in value:
        raise ValueError(f"{value[:60]!r} holds the character \\u0000, which no name and no path has")
    if isinstance(value, int) and value.bit_length() > 64:
        raise ValueError(f"a whole number has {value.bit_length():,} bits, and no key takes more than 64")
    return value
