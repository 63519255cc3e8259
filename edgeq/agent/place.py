"""Puts a file with a known hash at its place: by hard link where the file system and the owner allow, else by copy."""

import errno
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from edgeq.agent.durable import READ_ONLY
from edgeq.agent.hashing import is_exactly, sha256_of
from edgeq.agent.space import require_space

# Another file system, too many links, a file of another user (protected_hardlinks), FAT.
_NO_LINK = (errno.EXDEV, errno.EMLINK, errno.EPERM, errno.EACCES, errno.EOPNOTSUPP)


def place(destination: Path, sources: Sequence[Path], sha256: str, size: int) -> bool:
    """Make `destination` from the first of `sources` whose bytes, hashed at the destination, are the right ones.

    False when none is: then nothing is left at `destination`. fsync is the caller's, once for the whole folder.
    """
    for source in sources:
        try:
            _link_or_copy(source, destination)
            if is_exactly(destination, sha256, size):
                return True
        except FileNotFoundError:  # the source went away
            pass
        destination.unlink(missing_ok=True)
    return False


def place_any_size(destination: Path, sources: Sequence[Path], sha256: str) -> bool:
    """`place` for a file of unknown size: the hash alone decides."""
    for source in sources:
        if source.is_file() and place(destination, [source], sha256, source.stat().st_size):
            return True
    return False


def holds(path: Path, sha256: str) -> bool:
    return path.is_file() and not path.is_symlink() and sha256_of(path) == sha256


def _link_or_copy(source: Path, destination: Path) -> None:
    try:
        os.link(source, destination, follow_symlinks=False)
        destination.chmod(READ_ONLY)
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
        destination.unlink(missing_ok=True)
        require_space(destination.parent, source.stat().st_size, destination.name)
        shutil.copyfile(source, destination)
        destination.chmod(READ_ONLY)
