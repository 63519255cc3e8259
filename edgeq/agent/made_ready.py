"""Verifies a release against its manifest before it goes live, and moves other people's files out of it."""

from collections.abc import Sequence
from typing import Optional

from edgeq.agent.layout import Root
from edgeq.agent.others_files import in_release, set_aside
from edgeq.agent.verify import MANIFEST_IS_CHANGED, Finding, findings, is_damage, read_manifest
from edgeq.errors import ArtifactCorrupt
from edgeq.nouns.bundle import Manifest


def made_ready(root: Root, app: str, digest: str) -> tuple[Manifest, Optional[str]]:
    """The manifest of a release that is whole, and the absolute path of the folder where the files of others are now that
    lay in it; None where none did. Raises ArtifactCorrupt with every finding where edgeq's own files are damaged; nothing was moved then.
    """
    folder = root.release(app, digest)
    manifest, found = verified(root, app, digest)
    kept = set_aside(folder, in_release(folder, manifest)) if found else []
    return manifest, str(folder.parent / kept[0].relative_to(folder.parent).parts[0]) if kept else None


def verified(root: Root, app: str, digest: str) -> tuple[Manifest, Sequence[Finding]]:
    """The manifest of a release that is whole, and what lies in it beside that. Changes nothing. Raises ArtifactCorrupt with
    every finding where edgeq's own files are damaged.
    """
    folder = root.release(app, digest)
    manifest = read_manifest(folder)
    found = (MANIFEST_IS_CHANGED,) if manifest is None else findings(folder, manifest)
    if manifest is None or any(is_damage(f) for f in found):
        raise ArtifactCorrupt(
            f"release {digest[:7]} of {app} on this device is damaged",
            "deploy the bundle again: only what is damaged is sent",
            details=[str(f) for f in found],
        )
    return manifest, found
