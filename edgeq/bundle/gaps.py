"""Bytes of an archive that belong to no entry: no check reads them, so a bundle has none."""

import struct
import zipfile
from collections.abc import Sequence
from typing import IO, Any

_LOCAL = struct.Struct(
    "<4s22x2H"
)  # before an entry's content: signature, ..., lengths of name and extra field
_END = struct.Struct("<4s8x2LH")  # signature, ..., size and offset of the directory, length of the comment
_END_64 = struct.Struct(
    "<4s36x2Q"
)  # the same of an archive beyond 4 GB, which has a locator of 20 bytes behind
_LOCATOR_BYTES = 20
# Behind the content of an entry that was written to a pipe: checksum and sizes, with or without a signature.
_DESCRIPTOR, _DESCRIPTOR_BYTES = 0x8, (12, 16, 20, 24)


def gap_problems(file: IO[bytes], entries: Sequence[zipfile.ZipInfo], directory: int, size: int) -> list[str]:
    """What stands before, between or behind the entries of an archive of `size` bytes whose directory begins at byte
    `directory`; and entries that share bytes. Formats: APPNOTE of zip, 4.3.
    """
    problems = []
    ends: tuple[int, ...] = (0,)
    for entry in sorted(entries, key=lambda e: e.header_offset):
        problems += _gap(ends, entry.header_offset, f"in front of {entry.filename!r}")
        signature, name, extra = _at(file, entry.header_offset, _LOCAL)
        if signature != b"PK\3\4":
            return [*problems, f"{entry.filename!r} is damaged: it has no header"]
        end = entry.header_offset + _LOCAL.size + name + extra + entry.compress_size
        ends = tuple(end + n for n in _DESCRIPTOR_BYTES) if entry.flag_bits & _DESCRIPTOR else (end,)
    problems += _gap(ends, directory, "in front of the zip's directory")
    return problems + _behind(file, directory, size)


def _gap(ends: tuple[int, ...], begin: int, where: str) -> list[str]:
    if begin in ends:
        return []
    if begin < ends[0]:
        return [f"what stands {where} takes {ends[0] - begin:,} bytes of it"]
    return [f"{begin - ends[0]:,} bytes {where} belong to no file"]


def _behind(file: IO[bytes], directory: int, size: int) -> list[str]:
    at = size - _END.size
    signature, length, _, comment = _at(file, at, _END)
    if signature != b"PK\5\6" or comment:
        return ["bytes behind the zip's directory belong to no file"]
    at_64 = at - _LOCATOR_BYTES - _END_64.size
    signature_64, length_64, _ = _at(file, at_64, _END_64)
    if signature_64 == b"PK\6\6":
        at, length = at_64, length_64
    return _gap((directory + length,), at, "behind the zip's directory")


def _at(file: IO[bytes], place: int, form: struct.Struct) -> tuple[Any, ...]:
    """The fields at `place`; zeros where the file has none there."""
    file.seek(max(0, place))
    found = file.read(form.size) if place >= 0 else b""
    return form.unpack(found.ljust(form.size, b"\0"))
