"""flock(2) with a deadline: whoever may open a file may lock it, and must not keep edgeq waiting for ever.

Names the holder where /proc/locks (proc_locks(5)) has it. Knows no file's meaning.
"""

import fcntl
import os
import pwd
import time
from pathlib import Path
from typing import Optional

from edgeq.errors import DeviceBusy

_LOOK_AGAIN_S = 0.05


def lock_within(handle: int, seconds: float, path: Path) -> None:
    """Lock the open file `handle`, which is `path`. Raises DeviceBusy after `seconds`, naming the process that has it."""
    end = time.monotonic() + seconds
    while not lock_now(handle):
        if time.monotonic() >= end:
            raise kept_by_another(handle, path, seconds)
        time.sleep(_LOOK_AGAIN_S)


def lock_now(handle: int) -> bool:
    """Whether the lock was free, and is ours now."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def kept_by_another(handle: int, path: Path, seconds: float) -> DeviceBusy:
    pid = holder(handle)
    who = _words_on(pid) if pid else "another process, which /proc/locks does not name,"
    return DeviceBusy(
        f"{who} has locked {path}; gave up after {seconds:.0f} s",
        f"see what it is (`ps -fp {pid}`) and end it"
        if pid
        else f"see who has it open: `sudo fuser -v {path}`",
    )


def holder(handle: int) -> Optional[int]:
    """The process that has a lock on the open file; None where the kernel does not tell."""
    info = os.fstat(handle)
    place = f"{os.major(info.st_dev):02x}:{os.minor(info.st_dev):02x}:{info.st_ino}"
    try:
        lines = Path("/proc/locks").read_text().splitlines()
    except OSError:
        return None
    for words in map(str.split, lines):
        # "1: FLOCK ADVISORY WRITE 4711 08:01:1234 0 EOF"; who waits has "->" behind the number
        if len(words) > 5 and words[1] == "FLOCK" and words[5] == place and words[4].isdigit():
            return int(words[4]) or None
    return None


def owner(pid: int) -> Optional[int]:
    """The user id of a process; None where it is gone or hidden."""
    try:
        return Path(f"/proc/{pid}").stat().st_uid
    except OSError:
        return None


def _words_on(pid: int) -> str:
    """ "process 4711 (vim) of user bob"."""
    try:
        name = Path(f"/proc/{pid}/comm").read_text(errors="replace").strip()
    except OSError:
        name = "?"
    uid = owner(pid)
    try:
        user = pwd.getpwuid(uid).pw_name if uid is not None else "unknown"
    except KeyError:
        user = str(uid)
    return f"process {pid} ({name}) of user {user}"
