"""Refuses what is no file before it is opened: a pipe waits for ever for whoever writes into it, and a device may give bytes
without end.
"""

import stat
from pathlib import Path

from edgeq.errors import EdgeqError
from edgeq.limited.limits import free_memory

_KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def refuse_special(path: Path, refusal: type[EdgeqError]) -> None:
    """Raises `refusal` where `path`, or what it is a link to, is a pipe, a socket or a device. What is missing, a folder or
    not readable is left to whoever opens it, who says so in the words of its format.
    """
    try:
        kind = _KINDS.get(stat.S_IFMT(path.stat().st_mode))
    except (OSError, ValueError):
        return
    if kind is not None:
        linked = f", by way of a link to {path.resolve()}" if path.is_symlink() else ""
        raise refusal(f"{path} is {kind}, not a file{linked}: not opened", "copy its content into a file")


def content(path: Path, refusal: type[EdgeqError]) -> bytes:
    """All of a regular file. Raises `refusal` for another kind, and for more bytes than half of the free memory; OSError."""
    refuse_special(path, refusal)
    with path.open("rb") as file:
        most = free_memory() // 2
        found = file.read(most + 1) if path.stat().st_size <= most else None
    if found is None or len(found) > most:
        raise refusal(
            f"{path} has more than {most >> 20:,} MB, half of the free memory: not opened",
            "free memory, or use a machine that has more",
        )
    return found
