"""Gives freed memory back to the system where the C library keeps it.

glibc maps large blocks, and unmaps them when they are freed; but each one that is freed raises the size from which it does
so, up to 32 MB, and what is smaller stays with the process, in one heap for each thread. After a session of a network of
100 MB was closed that is 200 MB, which the next one, of other sizes, does not all take again. A lower fixed size
(M_MMAP_THRESHOLD) would map and clear the arrays of every run anew: calibration takes 1.5 times as long.
"""

import ctypes
import functools
import os
from collections.abc import Callable
from pathlib import Path

_WORTH_BYTES = 400 * 2**20
"""Resident in the process: below, what is freed is soon used again."""


def give_back() -> None:
    """Of a large process. Takes some milliseconds. Nothing happens where the C library is not glibc."""
    trim = _malloc_trim()
    if trim is not None and _resident() > _WORTH_BYTES:
        trim(0)


def _resident() -> int:
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


@functools.cache
def _malloc_trim() -> Callable[[int], int] | None:
    try:
        found: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):
        return None
    return found
