"""Which file contents are on this device already, wherever they are: incoming/, releases, check samples."""

from collections.abc import Iterable
from pathlib import Path

from edgeq.agent.layout import Root
from edgeq.agent.stored import Unreadable, read_json
from edgeq.agent.verify import read_manifest

FILES = "files.json"


def places(root: Root, wanted: Iterable[str]) -> dict[str, list[Path]]:
    """sha256 -> files that should have that content, likeliest first; the caller hashes the one it uses."""
    found: dict[str, list[Path]] = {sha: [] for sha in wanted}
    for sha, paths in found.items():
        if (root.incoming / sha).is_file():
            paths.append(root.incoming / sha)
    for folder in root.apps.glob("*/releases/[!.]*"):
        manifest = read_manifest(folder)
        for artifact in manifest.artifacts if manifest else ():
            if artifact.sha256 in found:
                found[artifact.sha256].append(folder / artifact.path)
    for folder in root.samples.glob("[!.]*"):
        for i, sha in enumerate(sample_files(folder)):
            if sha in found:
                found[sha].append(folder / f"{i}.npy")
    return found


def sample_files(folder: Path) -> tuple[str, ...]:
    """The sha256 of each input's file in a folder of check samples, in order; empty when unknown."""
    try:
        raw = read_json(folder / FILES)
    except (FileNotFoundError, Unreadable):
        return ()
    return tuple(raw) if isinstance(raw, list) and all(isinstance(s, str) for s in raw) else ()
