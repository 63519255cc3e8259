"""A bundle onto the disk: the same parts give the same bytes, and the file is there whole or not at all."""

import contextlib
import hashlib
import os
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

from edgeq.bundle.check import manifest_problems
from edgeq.bundle.destination import require_no_other_kind, unfinished
from edgeq.bundle.layout import MANIFEST, SIDECAR, why_unsafe
from edgeq.errors import BundleRefused
from edgeq.nouns.bundle import Artifact, Manifest
from edgeq.nouns.record import canonical_json

_CHUNK = 1 << 20
_REGULAR_FILE = 0o100644 << 16


def write_bundle(
    path: Path,
    manifest: Manifest,
    artifacts: Mapping[str, Path | bytes],
    sidecar: Mapping[str, bytes],
) -> None:
    """Write `path`: written to a file next to it, fsynced, renamed; what was there before stays until then.

    `artifacts` maps each artifact's path in the manifest to its bytes or the file that holds them, `sidecar` names
    below beside/ to bytes. Raises BundleRefused when they are not what the manifest says, or `path` cannot be written.
    """
    require_no_other_kind(path)
    problems = [*manifest_problems(manifest), *_part_problems(manifest, artifacts, sidecar)]
    if problems:
        raise BundleRefused(f"{path} was not written", details=problems)
    with _translated(path), _replacing(path) as stream, zipfile.ZipFile(stream, "w") as archive:
        _store(archive, MANIFEST, canonical_json(manifest.to_dict()))
        for artifact in manifest.artifacts:
            _store_artifact(archive, artifact, artifacts[artifact.path])
        for name in sorted(sidecar):
            _store(archive, SIDECAR + name, sidecar[name])


def _part_problems(
    manifest: Manifest, artifacts: Mapping[str, Path | bytes], sidecar: Mapping[str, bytes]
) -> Iterator[str]:
    expected = {artifact.path for artifact in manifest.artifacts}
    for path in sorted(expected ^ set(artifacts)):
        yield f"{path} is missing" if path in expected else f"{path} is not in the manifest"
    for name in sidecar:
        unsafe = why_unsafe(name)
        if unsafe:
            yield f"{SIDECAR}{name} {unsafe}"


def _store_artifact(archive: zipfile.ZipFile, artifact: Artifact, source: Path | bytes) -> None:
    stored = _store(archive, artifact.path, source)
    if stored != (artifact.size, artifact.sha256):
        raise BundleRefused(
            f"{artifact.path} is not what the manifest says: {stored[0]:,} bytes, sha256 {stored[1][:16]}",
            "the file changed while the bundle was made: convert again",
        )


def _store(archive: zipfile.ZipFile, name: str, source: Path | bytes) -> tuple[int, str]:
    """Size and sha256 of what was stored."""
    entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    entry.create_system, entry.external_attr = 3, _REGULAR_FILE
    entry.file_size = len(source) if isinstance(source, bytes) else source.stat().st_size
    size, hasher = 0, hashlib.sha256()
    with archive.open(entry, "w") as stored:
        for chunk in _chunks(source):
            stored.write(chunk)
            hasher.update(chunk)
            size += len(chunk)
    return size, hasher.hexdigest()


def _chunks(source: Path | bytes) -> Iterator[bytes]:
    if isinstance(source, bytes):
        yield source
        return
    with source.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            yield chunk


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[IO[bytes]]:
    """A stream whose content becomes `path` when all went well, and leaves nothing behind when not."""
    temporary = unfinished(path)
    try:
        with temporary.open("wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Makes a rename durable; a file's own fsync does not cover its name."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        where = error.filename or path
        raise BundleRefused(
            f"cannot write {path}: {where}: {error.strerror}",
            "name another place with -o",
        ) from None
