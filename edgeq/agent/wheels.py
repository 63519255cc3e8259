"""Unpacks a wheel into a folder that goes on sys.path as it is. Every file is checked against the wheel's RECORD.

What an installer would do beyond that (scripts, headers, data files) a runtime does not need, and is left out.
Knows the wheel format (PyPA "Binary distribution format"), not which wheels a runtime needs.
"""

import base64
import compileall
import csv
import errno
import hashlib
import io
import os
import py_compile
import re
import stat
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Optional

from edgeq.agent.durable import READ_ONLY
from edgeq.agent.stored import Unreadable, read_regular
from edgeq.errors import ArtifactCorrupt
from edgeq.nouns.safe_names import problem_of_path

# Against bombs; onnxruntime unpacks to 60 MB at 1:3, text compresses to 1:20 at best.
LARGEST_BYTES = 2 << 30
LARGEST_RATIO = 100
MOST_FILES = 50_000
_LARGEST_RECORD = 32 << 20
_SMALL = 1 << 20  # below this a ratio says nothing
_CHUNK = 1 << 20
_STRONG = ("sha256", "sha384", "sha512")
_SIGNATURES = ("RECORD.jws", "RECORD.p7s")
_MERGED = ("purelib", "platlib")
# Folders of the runtimes' wheels that no inference imports: compiling them took four fifths of onnxruntime's time and
# half of numpy's. Whoever imports them all the same gets them compiled in memory.
_NEVER_IMPORTED = re.compile(
    r"/(tests?|testing|f2py|distutils|typing|transformers|quantization|tools|datasets|backend|aot)/"
)


@dataclass(frozen=True)
class Member:
    """One file of a wheel: its name in the zip, where it goes (None: left out), what RECORD says of it."""

    info: zipfile.ZipInfo
    destination: Optional[str]
    algorithm: str
    digest: bytes


def read_wheel(path: Path) -> tuple[Member, ...]:
    """Everything is decided here; nothing is written. Raises ArtifactCorrupt with every problem found."""
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
            _require(path, tuple(_container_problems(infos, path.stat().st_size)))
            record_name = _record_name(path, infos)
            rows = _record(path, archive.read(record_name))
    except _DAMAGED as error:
        raise _refused(path, (_words(error),)) from None
    except OSError as error:
        raise _of_zip(error, path, "the zip") from None
    files = [i for i in infos if not i.is_dir()]
    unlisted = {record_name, *(record_name.rsplit("/", 1)[0] + "/" + s for s in _SIGNATURES)}
    _require(path, tuple(_record_problems({i.filename for i in files} - unlisted, set(rows) - unlisted)))
    members = tuple(
        Member(i, _destination(i.filename), *rows.get(i.filename, ("", b"")))
        for i in files
        if i.filename not in unlisted
    )
    record = tuple(Member(i, i.filename, "", b"") for i in files if i.filename == record_name)
    _require(path, tuple(_merge_problems(members + record)))
    return members + record


def unpacked_bytes(members: tuple[Member, ...]) -> int:
    return sum(m.info.file_size for m in members if m.destination)


def unpack(path: Path, members: tuple[Member, ...], folder: Path) -> None:
    """Write `members` below the new folder `folder`, hashing as they pass. fsync is the caller's.

    Raises ArtifactCorrupt at the first file whose bytes are not what RECORD says; what is left out is hashed too.
    """
    with zipfile.ZipFile(path) as archive:
        for member in members:
            try:
                with archive.open(member.info) as source:
                    _copy(source, folder, member)
            except (*_DAMAGED, _Changed) as error:
                raise _refused(path, (f"{member.info.filename}: {_words(error)}",)) from None
            except OSError as error:
                raise _of_zip(error, path, member.info.filename) from None


def _of_zip(error: OSError, path: Path, where: str) -> Exception:
    """EINVAL comes from an offset before the file's beginning; any other is the disk's."""
    if error.errno in (None, errno.EINVAL):
        return _refused(path, (f"{where}: {_words(error)}",))
    return error


def _words(error: Exception) -> str:
    return str(error)[:200] or type(error).__name__


def is_whole(folder: Path) -> bool:
    """Whether each file of the unpacked wheel's RECORD is there with the size that stands there. A thousand lstats where
    hashing would read 60 MB: a file system that lost data after a power cut shows it in sizes.
    """
    unpacked = _unpacked_rows(folder)
    return bool(unpacked) and all(_is_there(folder, row) for row in unpacked)


def recorded_files(folder: Path) -> "set[str]":
    """The files that the unpacked wheel in `folder` has by its RECORD, that one included; none where it cannot be read."""
    rows = _unpacked_rows(folder)
    records = {p.relative_to(folder).as_posix() for p in folder.glob("*.dist-info/RECORD")} if rows else set()
    return records | {place for row in rows for place in [_destination(row[0])] if place}


def _unpacked_rows(folder: Path) -> "list[list[str]]":
    """The rows of RECORD for what is unpacked: neither itself nor its signatures. Empty where there is no one readable RECORD."""
    try:
        (record,) = folder.glob("*.dist-info/RECORD")
        text = read_regular(record, _LARGEST_RECORD).decode("utf-8")
        rows = [row for row in csv.reader(io.StringIO(text, newline="")) if row]
    except (ValueError, OSError, csv.Error, Unreadable):  # none, several, or no text
        return []
    own = record.relative_to(folder).as_posix()
    left_out = (own, *(own.rsplit("/", 1)[0] + "/" + s for s in _SIGNATURES))
    return [row for row in rows if row[0] not in left_out]


def _is_there(folder: Path, row: "list[str]") -> bool:
    destination = _destination(row[0])
    if destination is None:
        return True
    try:
        info = (folder / destination).lstat()
    except (OSError, ValueError):  # the latter for a NUL
        return False
    size = row[2] if len(row) > 2 else ""
    return stat.S_ISREG(info.st_mode) and size in ("", str(info.st_size))


def compile_all(folder: Path, final: Path) -> None:
    """Compile to __pycache__ now, so that no user of the wheel needs to write there; `final` is where tracebacks look.

    A file that this Python cannot compile (templates, tests of syntax) is left as it is: so does pip. So is what only
    makes models, builds extensions or tests: a card compiles a few files per second.
    """
    compileall.compile_dir(
        str(folder),
        maxlevels=50,
        ddir=str(final),
        quiet=2,
        rx=_NEVER_IMPORTED,
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )


# What zipfile, zlib, lzma, struct and csv raise on a file that is not what it says; UnicodeDecodeError is a ValueError.
_DAMAGED = (
    *(zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, struct.error, csv.Error),
    *(EOFError, NotImplementedError, RuntimeError, ValueError, OverflowError, IndexError, KeyError),
)


class _Changed(Exception):
    pass


def _container_problems(infos: list[zipfile.ZipInfo], packed: int) -> Iterator[str]:
    total = sum(i.file_size for i in infos)
    if len(infos) > MOST_FILES:
        yield f"it holds {len(infos)} files; the limit is {MOST_FILES}"
    if total > LARGEST_BYTES:
        yield f"it unpacks to {total} bytes; the limit is {LARGEST_BYTES}"
    elif total > max(packed * LARGEST_RATIO, _SMALL):
        yield f"it unpacks to {total} bytes from {packed}: a zip bomb"
    for name, times in Counter(i.filename.rstrip("/") for i in infos).items():
        if times > 1:
            yield f"{name!r} occurs {times} times"
    for info in infos:
        # zipfile cuts a name at its first NUL and turns other separators; what was written is what counts.
        is_folder = info.orig_filename.endswith("/")
        problem = problem_of_path(info.orig_filename[:-1] if is_folder else info.orig_filename)
        if problem:
            yield f"{info.orig_filename!r}: the path {problem}"
        if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
            yield f"{info.filename!r} is a link or a device"
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            yield f"{info.filename!r} is packed by method {info.compress_type}, which wheels do not use"
        if info.flag_bits & 1:
            yield f"{info.filename!r} is encrypted"


def _record_name(path: Path, infos: list[zipfile.ZipInfo]) -> str:
    names = [i.filename for i in infos if re.fullmatch(r"[^/]+\.dist-info/RECORD", i.filename)]
    if len(names) != 1:
        raise _refused(path, (f"it has {len(names)} RECORD files and must have one",))
    return names[0]


def _record(path: Path, data: bytes) -> dict[str, tuple[str, bytes]]:
    """Path -> (algorithm, digest). RECORD and signatures of it carry no hash."""
    rows, problems = {}, []
    for row in csv.reader(io.StringIO(data.decode("utf-8"), newline="")):
        if not row:
            continue
        name, value = row[0], row[1] if len(row) > 1 else ""
        algorithm, _, digest = value.partition("=")
        if name in rows:
            problems.append(f"RECORD lists {name!r} twice")
        rows[name] = (algorithm, _unpadded(digest))
        if algorithm not in _STRONG and not name.endswith((".dist-info/RECORD", *_SIGNATURES)):
            problems.append(f"RECORD gives {name!r} no sha256")
    _require(path, tuple(problems))
    return rows


def _unpadded(digest: str) -> bytes:
    try:
        return base64.b64decode(digest + "=" * (-len(digest) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return b""


def _record_problems(there: set[str], listed: set[str]) -> Iterator[str]:
    for name in sorted(listed - there):
        yield f"{name!r} is in RECORD and missing"
    for name in sorted(there - listed):
        yield f"{name!r} is there and not in RECORD"


def _destination(name: str) -> Optional[str]:
    """Where a file goes: its own place; out of `.data/purelib` and `.data/platlib` to the top; other `.data` nowhere."""
    first, _, rest = name.partition("/")
    if not first.endswith(".data"):
        return name
    kind, _, below = rest.partition("/")
    return below if kind in _MERGED and below else None


def _merge_problems(members: tuple[Member, ...]) -> Iterator[str]:
    destinations = [m.destination for m in members if m.destination]
    for name, times in Counter(destinations).items():
        if times > 1:
            yield f"{times} files go to {name!r}"
    folders = {"/".join(d.split("/")[:n]) for d in destinations for n in range(1, d.count("/") + 1)}
    for name in sorted(folders & set(destinations)):
        yield f"{name!r} is a file and a folder"


def _copy(source: IO[bytes], folder: Path, member: Member) -> None:
    hasher = hashlib.new(member.algorithm) if member.algorithm else None
    destination = folder / member.destination if member.destination else Path(os.devnull)
    if member.destination:
        destination.parent.mkdir(parents=True, exist_ok=True)
    with destination.open("wb") as file:
        for chunk in iter(lambda: source.read(_CHUNK), b""):
            if hasher:
                hasher.update(chunk)
            file.write(chunk)
    if hasher and hasher.digest() != member.digest:
        raise _Changed("its bytes are not what RECORD says")
    if member.destination:
        destination.chmod(READ_ONLY)


def _require(path: Path, problems: tuple[str, ...]) -> None:
    if problems:
        raise _refused(path, problems)


def _refused(path: Path, problems: tuple[str, ...]) -> ArtifactCorrupt:
    return ArtifactCorrupt(
        f"{path.name[:24]} is not a wheel that may be unpacked: {problems[0]}",
        "empty edgeq's cache on the host and deploy again; the wheel may be damaged or tampered with",
        details=problems[:20],
    )
