"""Compares a release's folder with its manifest: every file is there, no other is, each has its size and hash."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from edgeq.agent.durable import is_temporary
from edgeq.agent.hashing import is_exactly
from edgeq.agent.manifest_rules import JOBS, MANIFEST, records
from edgeq.agent.stored import Unreadable, read_json
from edgeq.nouns.bundle import Artifact, Manifest
from edgeq.nouns.record import canonical_json

MISSING, CHANGED, EXTRA = "missing", "changed", "extra"
_LARGEST_MANIFEST = 8 << 20


@dataclass(frozen=True)
class Finding:
    """`path` relative to the release; `problem` is missing, changed or extra (a file, link or folder too many)."""

    path: str
    problem: str

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}"


MANIFEST_IS_CHANGED = Finding(MANIFEST, CHANGED)


def is_damage(finding: Finding) -> bool:
    """Whether a file of edgeq's own is not what it was. What others put there is moved away (others_files.py)."""
    return finding.problem != EXTRA


def read_manifest(folder: Path) -> Optional[Manifest]:
    """The manifest of the release in `folder`; None unless it is the one whose digest the folder is named by."""
    try:
        manifest = Manifest.from_dict(read_json(folder / MANIFEST, _LARGEST_MANIFEST))
    except (FileNotFoundError, Unreadable, ValueError):
        return None
    return manifest if manifest.digest == folder.name else None


def files_of(manifest: Manifest) -> tuple[Artifact, ...]:
    """All files that make the release: the artifacts and the manifest itself, whose sha256 is the digest."""
    data = manifest_bytes(manifest)
    return (*manifest.artifacts, Artifact(MANIFEST, len(data), hashlib.sha256(data).hexdigest()))


def manifest_bytes(manifest: Manifest) -> bytes:
    return canonical_json(manifest.to_dict())


def findings(folder: Path, manifest: Manifest) -> tuple[Finding, ...]:
    expected = {a.path: a for a in files_of(manifest)}
    there = _entries(folder)
    found = [
        Finding(path, CHANGED if path in there else MISSING)
        for path, a in expected.items()
        if path not in there or not is_exactly(folder / path, a.sha256, a.size)
    ]
    folders = {str(parent) for path in expected for parent in Path(path).parents}
    folders |= {str(Path(path).with_name("__pycache__")) for path in expected if path.endswith(".py")}
    unknown = there - set(expected) - records(manifest)
    found += [Finding(path, EXTRA) for path in unknown if not _belongs(folder, path, folders)]
    return tuple(sorted(found, key=lambda f: f.path))


def _belongs(folder: Path, path: str, folders: set[str]) -> bool:
    """Whether something that is no file of the manifest may be there: its folders, and the agent's records of jobs."""
    if path in folders:
        return (folder / path).is_dir() and not (folder / path).is_symlink()
    return Path(path).parts[0] == JOBS


def _entries(folder: Path) -> set[str]:
    """Everything below `folder`, relative, links not followed. What a cut write left beside a file does not count."""
    return {
        Path(above, name).relative_to(folder).as_posix()
        for above, folders, files in os.walk(folder)
        for name in (*folders, *files)
        if not is_temporary(Path(name))
    }
