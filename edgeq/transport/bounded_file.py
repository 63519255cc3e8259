"""Reads the files that an ssh configuration names: never waits for whoever writes into a pipe, never reads without end."""

import errno
import os
import stat
from pathlib import Path

LARGEST_KEY = 1 << 20  # bytes; the longest RSA keys have some kilobytes


def bounded(path: Path, most: int = LARGEST_KEY) -> bytes:
    """All of it. Raises OSError, also for a pipe and for more than `most` bytes; /dev/null is empty, as for OpenSSH."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe is opened at once
    with os.fdopen(handle, "rb") as file:
        if stat.S_ISFIFO(os.fstat(handle).st_mode):  # with no writer it would read as empty
            raise OSError(errno.EINVAL, "it is a pipe, not a file", str(path))
        data = file.read(most + 1) or b""
    if len(data) > most:
        raise OSError(errno.EFBIG, f"it has more than {most >> 20} MB", str(path))
    return data
