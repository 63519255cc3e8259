"""Reads small JSON files that others may have written: bounded, regular files only, never half understood."""

import os
import stat
from pathlib import Path

from edgeq.nouns.json_text import parse_json

LARGEST = 1 << 20


class Unreadable(Exception):
    """Why a file is not taken for what its name says; one line."""


def read_json(path: Path, largest: int = LARGEST) -> object:
    """The JSON value in `path`. Raises FileNotFoundError, or Unreadable for everything else that is wrong with it."""
    try:
        return parse_json(read_regular(path, largest), largest)
    except ValueError as error:
        raise Unreadable(f"{path.name} is not JSON: {error}") from None
    except FileNotFoundError:
        raise
    except OSError as error:
        reason = "it is a link" if path.is_symlink() else error.strerror
        raise Unreadable(f"{path.name} cannot be read: {reason}") from None


def read_regular(path: Path, largest: int) -> bytes:
    """The bytes of a regular file. Raises Unreadable for a larger one and for what is none, and OSError."""
    # Non-blocking, so that a named pipe of that name cannot stop the agent.
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise Unreadable(f"{path.name} is not a regular file")
        with os.fdopen(handle, "rb", closefd=False) as file:
            data = file.read(largest + 1)
    finally:
        os.close(handle)
    if len(data) > largest:
        raise Unreadable(f"{path.name} is larger than {largest} bytes")
    return data
