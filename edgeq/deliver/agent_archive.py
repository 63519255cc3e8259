"""Builds the agent: one archive of plain Python, the same bytes on every machine, named by its hash.

Knows which files of this package ship to the device, not what they do there.
"""

import hashlib
import io
import os
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

_PACKAGE = Path(__file__).parent.parent
_ENTRY = b"""\
import sys

from edgeq.agent.__main__ import main

sys.exit(main())
"""
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest date a zip can hold
_UNIX = 3
_PLAIN_FILE = 0o100644


@dataclass(frozen=True)
class AgentArchive:
    """The agent on this host. `name` is its file name on the device, `<sha256, first 16 hex>.pyz`."""

    path: Path
    sha256: str
    name: str


def build_agent(cache: Path) -> AgentArchive:
    """The agent of this version of edgeq, written to `cache/agent` unless it is there already."""
    data = archive_bytes(files_that_ship(_PACKAGE))
    sha256 = hashlib.sha256(data).hexdigest()
    name = f"{sha256[:16]}.pyz"
    path = cache / "agent" / name
    if not path.is_file() or path.read_bytes() != data:
        _write_beside(path, data)
    return AgentArchive(path, sha256, name)


def files_that_ship(package: Path) -> dict[str, bytes]:
    """Path in the archive -> bytes. Line ends are made "\\n", so that a Windows checkout builds the same agent."""
    sources = [package / "__init__.py", package / "errors.py", package / "compress" / "__init__.py"]
    sources += [
        p for folder in ("nouns", "agent", "compress/expand") for p in (package / folder).rglob("*.py")
    ]
    files = {
        f"edgeq/{p.relative_to(package).as_posix()}": p.read_bytes().replace(b"\r\n", b"\n") for p in sources
    }
    return {"__main__.py": _ENTRY, **files}


def archive_bytes(files: dict[str, bytes]) -> bytes:
    """A zip that depends on nothing but `files`: sorted, one date, stored (deflate differs between zlib versions)."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            info = zipfile.ZipInfo(name, _EPOCH)
            info.create_system = _UNIX
            info.external_attr = _PLAIN_FILE << 16
            archive.writestr(info, files[name])
    return buffer.getvalue()


def _write_beside(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, beside = tempfile.mkstemp(dir=path.parent, prefix=".agent-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(beside).replace(path)
    except BaseException:
        Path(beside).unlink()
        raise
