"""The one table from the operating system's errors to edgeq's."""

import errno
import os
from pathlib import Path
from typing import Optional, Union

from edgeq.agent.durable import is_temporary
from edgeq.errors import DeviceError, EdgeqError, NoSpace, ReadOnly, RemoteFailed

_KINDS: dict[int, tuple[type[DeviceError], str, str]] = {
    errno.ENOSPC: (NoSpace, "no space left", "free space there, or choose a root on another disk"),
    errno.EDQUOT: (NoSpace, "the user's disk quota is used up", "free space there, or raise the quota"),
    errno.EROFS: (ReadOnly, "the file system is read-only", "remount it writable, or choose another root"),
    errno.EACCES: (ReadOnly, "permission denied", "log in as the owner of the root, or choose another root"),
    errno.EPERM: (
        ReadOnly,
        "operation not permitted",
        "log in as the owner of the root, or choose another root",
    ),
    errno.EIO: (
        RemoteFailed,
        "input/output error",
        "the device's disk or card is failing: see `dmesg` there",
    ),
    errno.ENAMETOOLONG: (RemoteFailed, "the path is too long", "choose a shorter root"),
    errno.ENOTDIR: (
        RemoteFailed,
        "a file stands where a folder belongs",
        "move it away, or choose another root",
    ),
    errno.EISDIR: (
        RemoteFailed,
        "a folder stands where a file belongs",
        "move it away, or choose another root",
    ),
    errno.ELOOP: (RemoteFailed, "too many links", "remove the link, or choose another root"),
}


def translated(error: Union[EdgeqError, OSError], below: object = None) -> Optional[EdgeqError]:
    """What a host should read; None for an error that only a bug can explain. An operation on a handle names no file:
    `below` is the folder that all of them are in.
    """
    if isinstance(error, EdgeqError):
        return error
    if error.errno not in _KINDS:
        return None
    kind, words, remedy = _KINDS[error.errno]
    where = error.filename2 or error.filename
    if isinstance(where, (str, bytes, os.PathLike)):
        return kind(f"{words}: {_shown(os.fsdecode(where))}", remedy)
    return kind(f"{words}: somewhere below {below}" if below else words, remedy)


def _shown(where: str) -> str:
    """The file that was to be written, not its temporary name."""
    path = Path(where)
    return str(path.with_name(path.name.split(".", 2)[2][: -len(".tmp")]) if is_temporary(path) else path)
