"""A bundle from the disk, believed only after all of it was checked."""

import hashlib
import zipfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from edgeq.bundle.check import (
    MANIFEST_LIMIT,
    archive_problems,
    content_problems,
    entry_problems,
    manifest_problems,
)
from edgeq.bundle.gaps import gap_problems
from edgeq.bundle.layout import MANIFEST, SIDECAR
from edgeq.errors import BundleRefused
from edgeq.limited.regular_file import refuse_special
from edgeq.nouns.bundle import SCHEMA, Artifact, Manifest
from edgeq.nouns.json_text import parse_json
from edgeq.nouns.record import canonical_json

_CHUNK = 1 << 20
_REMEDY = "make it again with `edgeq convert`, or fetch it again from where it came"


class OpenBundle:
    """A verified bundle; close it, or use it in a `with`.

    What is read later is hashed again, so a file that changes under an open bundle is noticed as well.
    """

    def __init__(self, path: Path, archive: zipfile.ZipFile, manifest: Manifest) -> None:
        self.path = path
        self.manifest = manifest
        self.digest = manifest.digest
        self._archive = archive
        self._artifacts = {artifact.path: artifact for artifact in manifest.artifacts}
        self._names = frozenset(archive.namelist())

    def artifact(self, path: str) -> bytes:
        """The bytes of one artifact. Raises KeyError for a path that the manifest has not."""
        expected = self._artifacts[path]
        content = self._read(path)
        if hashlib.sha256(content).hexdigest() != expected.sha256:
            raise BundleRefused(f"{self.path} changed while it was read: {path}", _REMEDY)
        return content

    def extract(self, to: Path) -> None:
        """Write manifest.json and every artifact below `to`, which is made; files of these names are replaced."""
        self._write(to / MANIFEST, canonical_json(self.manifest.to_dict()))
        for path in self._artifacts:
            self._write(to / path, self.artifact(path))

    def beside(self, name: str) -> bytes | None:
        """The bytes of beside/`name`; None where there is none."""
        return self._read(SIDECAR + name) if SIDECAR + name in self._names else None

    def close(self) -> None:
        self._archive.close()

    def __enter__(self) -> "OpenBundle":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _read(self, name: str) -> bytes:
        try:
            return self._archive.read(name)
        except (
            Exception
        ) as error:  # zipfile's own, OSError, EOFError, struct.error ... by what is wrong inside
            raise BundleRefused(f"{self.path} cannot be read: {name}: {error}", _REMEDY) from None

    def _write(self, file: Path, content: bytes) -> None:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        except OSError as error:
            raise BundleRefused(f"cannot write {file}: {error.strerror}") from None


def read_bundle(path: Path, *, expect: str | None = None) -> OpenBundle:
    """Open and verify in full. Raises BundleRefused with every problem that was found.

    `expect` is the digest that the caller was promised: a manifest that was rewritten together with its artifacts is
    a sound bundle, only not the one that was meant.
    """
    archive = _open(path)
    try:
        return OpenBundle(path, archive, _verified(path, archive, expect))
    except BaseException:
        archive.close()
        raise


def _open(path: Path) -> zipfile.ZipFile:
    refuse_special(path, BundleRefused)
    try:
        return zipfile.ZipFile(path)
    except OSError as error:
        raise BundleRefused(f"cannot read {path}: {error.strerror}") from None
    except Exception as error:  # zipfile's own, struct.error, ValueError ... by what is wrong inside
        raise BundleRefused(f"{path} is not a bundle, or only part of one: {error}", _REMEDY) from None


def _verified(path: Path, archive: zipfile.ZipFile, expect: str | None) -> Manifest:
    entries = archive.infolist()
    unfit = {entry.orig_filename: entry_problems(entry) for entry in entries}
    problems = [p for found in unfit.values() for p in found]
    size = path.stat().st_size
    problems += archive_problems(entries, size)
    if not problems and archive.fp is not None:
        problems += gap_problems(archive.fp, entries, archive.start_dir, size)
    manifest: Manifest | None = None
    if not problems:  # bytes are read only from an archive of plain, stored, uniquely named files
        manifest, found_in_manifest = _manifest(archive)
        problems += found_in_manifest
    if manifest is not None:
        problems += content_problems(manifest, entries)
        problems += _changed(archive, manifest)
        if expect is not None and manifest.digest != expect:
            problems.append(f"its digest is {manifest.digest}, expected was {expect}")
    if problems or manifest is None:
        raise _refused(path, problems)
    return manifest


def _manifest(archive: zipfile.ZipFile) -> tuple[Manifest | None, list[str]]:
    """The manifest, or why there is none; and what is wrong in it."""
    if archive.getinfo(MANIFEST).file_size > MANIFEST_LIMIT:
        return None, [f"{MANIFEST} is larger than {MANIFEST_LIMIT:,} bytes"]
    try:
        content = archive.read(MANIFEST)
        raw = parse_json(content)
        schema = raw.get("schema") if isinstance(raw, dict) else None
        if schema != SCHEMA:
            return None, [f"{MANIFEST} has schema {schema!r}; this edgeq reads schema {SCHEMA}"]
        manifest = Manifest.from_dict(raw)
    except Exception as error:  # zipfile's own, json's, ValueError of the noun ... by what is wrong inside
        return None, [f"{MANIFEST}: {error}"]
    problems = manifest_problems(manifest)
    # One manifest has one byte string, so that `sha256sum manifest.json` is the bundle's digest.
    if content != canonical_json(manifest.to_dict()):
        problems.append(f"{MANIFEST} is not in canonical form: it was edited")
    return manifest, problems


def _changed(archive: zipfile.ZipFile, manifest: Manifest) -> list[str]:
    """Artifacts whose content is not the manifest's, and sidecar files that are damaged."""
    artifacts = {artifact.path: artifact for artifact in manifest.artifacts}
    problems = []
    for entry in archive.infolist():
        artifact = artifacts.get(entry.filename)
        if artifact and artifact.size != entry.file_size:
            continue  # reported already, with both sizes
        problem = _content_problem(archive, entry, artifact)
        if problem:
            problems.append(problem)
    return problems


def _content_problem(
    archive: zipfile.ZipFile, entry: zipfile.ZipInfo, artifact: Artifact | None
) -> str | None:
    hasher = hashlib.sha256()
    try:
        with archive.open(entry) as stream:
            while chunk := stream.read(_CHUNK):
                hasher.update(chunk)
    except Exception as error:  # zipfile's own, zlib.error, OSError, EOFError ... by what is wrong inside
        return f"{entry.filename} is damaged: {error}"
    if artifact and hasher.hexdigest() != artifact.sha256:
        return f"{entry.filename} was changed: its sha256 is not the manifest's"
    return None


def _refused(path: Path, problems: Sequence[str]) -> BundleRefused:
    count = f"{len(problems)} problem{'s' if len(problems) != 1 else ''}"
    return BundleRefused(f"{path} is refused: {count}", _REMEDY, details=problems)
