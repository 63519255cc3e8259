"""Free disk space, checked before it is used, so that a full disk is a clear error."""

import os
from pathlib import Path

from edgeq.errors import NoSpace

# Left free for others on the device: logs, the model's own application.
_MARGIN = 4 << 20


def free_bytes(path: Path) -> int:
    """Free for this user on the file system of `path`, or of the nearest folder above that exists."""
    while not path.exists() and path != path.parent:
        path = path.parent
    info = os.statvfs(path)
    return info.f_bavail * info.f_frsize


def require_space(folder: Path, needed: int, what: str) -> None:
    """Raises NoSpace with both numbers."""
    free = free_bytes(folder)
    if free < needed + _MARGIN:
        raise NoSpace(
            f"{what} needs {_mb(needed + _MARGIN)} and {folder} has {_mb(free)} free",
            "free space there, or choose a root on another disk",
        )


def used_bytes(path: Path) -> int:
    """What the files below `path` occupy on disk, a file with several hard links counted once."""
    seen: dict[tuple[int, int], int] = {}
    for folder, folders, files in os.walk(path):
        for name in (*folders, *files):
            try:
                info = Path(folder, name).lstat()
            except FileNotFoundError:  # another command removes it right now
                continue
            seen[info.st_dev, info.st_ino] = info.st_blocks * 512
    return sum(seen.values())


def _mb(count: int) -> str:
    return f"{count / 1e6:.1f} MB"
