"""What no release, job or upload needs any more, of what edgeq made (owned.py): found here, removed by `sweep` and `lock`."""

import os
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from edgeq.agent import owned
from edgeq.agent.durable import remove_file, remove_tree
from edgeq.agent.layout import Root, own_archive
from edgeq.agent.remembered import needs
from edgeq.nouns.answers import Removed

_AGENTS_KEPT = 3


def uploads(root: Root, older_than_s: float) -> list[Path]:
    """Files in incoming/ and parts of agents, last touched longer ago. Without a battery clock "ago" may lie in the
    future.
    """
    now = time.time()
    return [p for p in owned.uploads(root) if abs(now - p.lstat().st_mtime) >= older_than_s]


def unused(root: Root) -> list[Path]:
    """What edgeq made of the check samples and wheels that no release's remembered job names."""
    used = needs(root).samples
    samples = [p for p in owned.samples(root) if p.name not in used]
    parts = [part for folder in samples for part in owned.parts_of_samples(folder)]
    return parts + [part for folder in unused_wheels(root) for part in owned.parts_of_wheel(folder)]


def unused_wheels(root: Root) -> list[Path]:
    """Folders of wheels. While a release has no job remembered, what it needs is not known, and every wheel stays."""
    used = needs(root)
    return [p for p in owned.wheels(root) if p.name not in used.wheels] if used.complete else []


def old_agents(root: Root) -> list[Path]:
    """All but the newest few, the one in use and the one that the service runs."""
    needed = {own_archive(), (root.agents / "current").resolve()}
    archives = sorted(owned.agents(root), key=lambda p: p.stat().st_mtime_ns, reverse=True)
    return [p for p in archives[_AGENTS_KEPT:] if p.resolve() not in needed]


def remove_all(root: Root, paths: Iterable[Path]) -> Removed:
    """Remove files and folders, and those around them that are empty then; what is gone, relative to the root, and the bytes
    that the disk got back.
    """
    paths = list(paths)
    freed = space_of(paths)
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            remove_tree(path)
        else:
            remove_file(path)
            _remove_empty(path.parent, root)
    return Removed(relative(root, paths), freed)


def relative(root: Root, paths: Iterable[Path]) -> tuple[str, ...]:
    return tuple(path.relative_to(root.path).as_posix() for path in paths)


def space_of(paths: Iterable[Path]) -> int:
    """Bytes that the disk gets back when these files and folders go: those of files with no hard link elsewhere."""
    names: Counter[int] = Counter()
    found: dict[int, os.stat_result] = {}
    for path in paths:
        inside = [Path(folder, name) for folder, _, files in os.walk(path) for name in files]
        for info in (p.lstat() for p in (inside or [path])):
            names[info.st_ino] += 1  # the root is one file system: its folders are renamed into each other
            found[info.st_ino] = info
    return sum(info.st_blocks * 512 for inode, info in found.items() if info.st_nlink <= names[inode])


def _remove_empty(folder: Path, root: Root) -> None:
    """Of what is edgeq's own: the folders of the root itself stay, for others may wait in them."""
    while folder != root.path and folder not in root.folders:
        try:
            folder.rmdir()
        except OSError:  # not empty
            return
        folder = folder.parent
