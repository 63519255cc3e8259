"""Who a process is, so that a later one of the same number is not taken for it. Knows /proc, not what it does.

Field 3 of /proc/<pid>/stat is the state, field 22 the start in ticks since boot (proc_pid_stat(5)).
"""

import os
import re
from pathlib import Path
from typing import Optional

_PID = re.compile(r"[1-9][0-9]{0,8}")
_ENDED = ("Z", "X")  # a zombie holds nothing any more


def identity(pid: int) -> str:
    """ "<namespace> <pid> <start>"; empty where the kernel does not tell, and for one that has ended."""
    namespace, start = _namespace(), _start(pid)
    return f"{namespace} {pid} {start}" if namespace and start else ""


def has_ended(known: str) -> bool:
    """Whether the process of this identity is gone for certain. What another user's /proc hides, or another namespace
    numbers in its own way, may well live.
    """
    namespace, _, rest = known.partition(" ")
    pid, _, start = rest.partition(" ")
    if namespace != _namespace() or not _PID.fullmatch(pid):
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False  # another user's
    return _start(int(pid)) not in (start, None)


def _start(pid: int) -> Optional[str]:
    """Empty for one that has ended, None where it cannot be read."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return "" if fields[0] in _ENDED else fields[19]


def _namespace() -> str:
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""
