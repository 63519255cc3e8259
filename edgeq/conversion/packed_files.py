"""Packed files in edgeq's cache, each by what it expands to and against what: a release that goes to several devices is packed once."""

import hashlib
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from edgeq.compress.expand import expand
from edgeq.compress.pack import pack
from edgeq.conversion.cache import folder
from edgeq.errors import ArtifactCorrupt

_KEPT_BYTES = 1 << 30
_FORMAT = "1"  # of what edgeq/compress writes; another does not find these files


@dataclass(frozen=True)
class PackedFile:
    """`seconds` that it took to make; 0 where it was there. `base`: the sha256 of the old file that is needed to expand it."""

    path: Path
    sha256: str
    size: int
    seconds: float
    base: str | None = None


def known(sha256: str, base: str | None = None) -> PackedFile | None:
    """What an earlier `packed` left."""
    path = _place(sha256, base)
    return _described(path, 0.0, base) if path.is_file() else None


def packed(content: bytes, sha256: str, base: tuple[str, bytes] | None = None) -> PackedFile | None:
    """`content` packed, against the `base` of that sha256 and content. None where it does not expand to the same again: it is then
    sent as it is.
    """
    found = known(sha256, base[0] if base else None)
    if found is not None:
        return found
    start = time.monotonic()
    old = base[1] if base else None
    made = pack(content, old)
    try:
        expand(made, sha256, len(content), old)
    except ArtifactCorrupt:
        return None
    path = _place(sha256, base[0] if base else None)
    _write(path, made)
    return _described(path, time.monotonic() - start, base[0] if base else None)


def _place(sha256: str, base: str | None) -> Path:
    return folder() / "packed" / f"{_FORMAT}-{sha256[:32]}-{base[:32] if base else 'alone'}"


def _described(path: Path, seconds: float, base: str | None) -> PackedFile:
    content = path.read_bytes()
    return PackedFile(path, hashlib.sha256(content).hexdigest(), len(content), seconds, base)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    _make_room(path.parent)
    handle, beside = tempfile.mkstemp(dir=path.parent, prefix=".packed-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(beside).replace(path)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise


def _make_room(folder: Path) -> None:
    """The oldest go, beyond _KEPT_BYTES in all."""
    files = sorted(((p.stat().st_mtime, p.stat().st_size, p) for p in folder.iterdir()), reverse=True)
    kept = 0
    for _, size, path in files:
        kept += size
        if kept > _KEPT_BYTES:
            path.unlink(missing_ok=True)
