"""What the header of a .npy declares, compared with the bytes that are there; without numpy, which allocates what is declared.

The format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
"""

import ast
import math
import re
import struct
from typing import IO, Any

_MAGIC = b"\x93NUMPY"
_LONGEST_HEADER = 10_000  # numpy's own limit
_TYPE = re.compile(r"[<>|=]?([biufcSU])([0-9]{1,9})|[<>|=]?([?mM])(8\[[a-z]+\])?|[<>|=]?([mM])8")
_MOST_EMPTY = 1_000_000  # samples without values: they cost no bytes, and each is looked at
_MOST_DIMENSIONS = 32


def declared(file: IO[bytes], size: int) -> tuple[str, int]:
    """What is wrong with the array in `file` of `size` bytes, and how many bytes its values take."""
    start = file.read(8)
    if start[:6] != _MAGIC:
        return "it is not an array that numpy wrote", 0
    wide = start[6:7] != b"\x01"
    counted = file.read(4 if wide else 2)
    if len(start) < 8 or len(counted) < (4 if wide else 2) or start[6] not in (1, 2, 3):
        return "it is only the beginning of an array, or of an unknown version", 0
    length = int(struct.unpack("<I" if wide else "<H", counted)[0])
    if length > _LONGEST_HEADER:
        return f"its header has {length:,} bytes", 0
    text = file.read(length).decode("utf-8" if start[6] == 3 else "latin1", errors="replace")
    header = _header(text)
    if header is None:
        return "its header is damaged", 0
    problem, values = _values(header)
    there = size - 8 - len(counted) - length
    if not problem and values > there:
        problem = f"its header declares {values:,} bytes, and {max(there, 0):,} are there"
    return problem, values


def _header(text: str) -> dict[str, Any] | None:
    try:
        found = ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return None
    keys = {"descr", "fortran_order", "shape"}
    return found if isinstance(found, dict) and set(found) == keys else None


def _values(header: dict[str, Any]) -> tuple[str, int]:
    descr, shape = header["descr"], header["shape"]
    if isinstance(descr, str) and "O" in descr:
        return "it holds pickled Python objects, which are not loaded", 0
    kind = _TYPE.fullmatch(descr) if isinstance(descr, str) else None
    if kind is None:
        return f"its type {str(descr)[:60]} is none of numbers", 0
    if not isinstance(shape, tuple) or not all(type(d) is int and 0 <= d < 2**62 for d in shape):
        return f"its shape {str(shape)[:60]} is none", 0
    if len(shape) > _MOST_DIMENSIONS or not isinstance(header["fortran_order"], bool):
        return "its header is damaged", 0
    width = int(kind[2]) * (4 if kind[1] == "U" else 1) if kind[1] else 1 if kind[3] == "?" else 8
    size = math.prod(shape) * width
    if not size and shape and shape[0] > _MOST_EMPTY:
        return f"its shape {'x'.join(map(str, shape))} of type {descr} holds no values", 0
    return "", size
