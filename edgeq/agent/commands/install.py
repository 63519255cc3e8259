"""`install`: a release is assembled from what is here, verified, and appears under its digest when it is whole."""

from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from edgeq.agent import lock
from edgeq.agent.apps import releases, require_app_name
from edgeq.agent.available import places
from edgeq.agent.clock import utc_now
from edgeq.agent.durable import (
    create_file,
    make_folder,
    move,
    remove_tree,
    sync_folder,
    sync_tree,
    temporary_beside,
)
from edgeq.agent.layout import Root
from edgeq.agent.manifest_rules import MANIFEST, RELEASE, require_safe
from edgeq.agent.others_files import in_release, set_aside
from edgeq.agent.place import place
from edgeq.agent.space import require_space
from edgeq.agent.verify import Finding, files_of, findings, is_damage, manifest_bytes
from edgeq.errors import ArtifactCorrupt
from edgeq.nouns.bundle import Artifact, Manifest
from edgeq.nouns.record import Record, canonical_json
from edgeq.nouns.release import Release

_FOLDERS_AND_RECORDS = 1 << 20  # what a release takes on disk although its artifacts are hard links


@dataclass(frozen=True)
class Request(Record):
    """`app` is the name it gets on this device; None: the bundle's own."""

    token: str
    manifest: Manifest
    app: Optional[str] = None


def answer(request: Request, root: Root) -> Release:
    manifest, app = request.manifest, request.app or request.manifest.name
    require_safe(manifest)
    require_app_name(app)
    with lock.held(root, request.token):
        folder = root.release(app, manifest.digest)
        if folder.is_dir():
            _repair(root, folder, manifest)
        else:
            _assemble(root, folder, manifest)
        _give_up_incoming(root, manifest)
    return next(r for r in releases(root, app) if r.digest == manifest.digest)


def _assemble(root: Root, folder: Path, manifest: Manifest) -> None:
    make_folder(folder.parent)
    require_space(folder.parent, _FOLDERS_AND_RECORDS, f"release {manifest.digest[:7]}")
    beside = temporary_beside(folder)
    beside.mkdir()
    try:
        _fill(root, beside, manifest, manifest.artifacts)
        create_file(beside / MANIFEST, manifest_bytes(manifest), 0o444)
        record = Release(manifest.digest, utc_now(), sum(a.size for a in manifest.artifacts))
        create_file(beside / RELEASE, canonical_json(record.to_dict()))
        sync_tree(beside)
        move(beside, folder)
    except BaseException:
        if beside.exists():
            remove_tree(beside)
        raise


def _fill(root: Root, folder: Path, manifest: Manifest, artifacts: tuple[Artifact, ...]) -> None:
    """Place `artifacts` below `folder`. Raises ArtifactCorrupt naming those of which no good copy is here."""
    sources = places(root, {a.sha256 for a in artifacts})
    lacking = []
    for artifact in artifacts:
        path = folder / artifact.path
        path.parent.mkdir(parents=True, exist_ok=True)
        if not place(path, sources[artifact.sha256], artifact.sha256, artifact.size):
            lacking.append(artifact)
    if lacking:
        for artifact in lacking:  # a damaged upload must not be taken for a good one next time
            (root.incoming / artifact.sha256).unlink(missing_ok=True)
        raise ArtifactCorrupt(
            f"{len(lacking)} of {len(manifest.artifacts)} files of release {manifest.digest[:7]} of {manifest.name} "
            "are missing or damaged on this device",
            "deploy again to resend them",
            details=[f"{a.path}: sha256 {a.sha256[:16]}, {a.size} bytes" for a in lacking],
        )


def _repair(root: Root, folder: Path, manifest: Manifest) -> None:
    """A release that is there already is verified; file by file, what is damaged is replaced.

    Not assembled again and exchanged: it may be live, and `current` must lead to a folder at each moment. What somebody else
    put there is moved aside; where nothing is damaged, by `activate`.
    """
    found = [f for f in findings(folder, manifest) if is_damage(f)]
    if not found:
        return
    damaged = {f.path for f in found}
    spare = temporary_beside(folder)
    spare.mkdir()
    try:
        _fill(root, spare, manifest, tuple(a for a in manifest.artifacts if a.path in damaged))
        create_file(spare / MANIFEST, manifest_bytes(manifest), 0o444)
        sync_tree(spare)
        set_aside(folder, in_release(folder, manifest))
        for finding in found:
            _mend(folder, spare, finding)
    finally:
        remove_tree(spare)


def _mend(folder: Path, spare: Path, finding: Finding) -> None:
    path = folder / finding.path
    make_folder(path.parent)
    (spare / finding.path).replace(path)
    sync_folder(path.parent)


def _give_up_incoming(root: Root, manifest: Manifest) -> None:
    """The release owns these files now; incoming/ holds only what no release owns."""
    for artifact in files_of(manifest):
        (root.incoming / artifact.sha256).unlink(missing_ok=True)
