"""How often the kernel has killed for lack of memory: a SIGKILL that raised one of these counts was such a kill."""

from pathlib import Path

from .memory_use import own_cgroup
from .read_file import text_of


def oom_kills(fs: Path) -> int:
    """Kills in this process's cgroup and in the whole system so far; 0 where the kernel does not count them."""
    group = own_cgroup(fs)
    places = [fs / "proc/vmstat", fs / "sys/fs/cgroup/memory/memory.oom_control"]
    return sum(_count(place) for place in [*places, *([group / "memory.events"] if group else [])])


def _count(path: Path) -> int:
    for line in (text_of(path) or "").splitlines():
        if line.startswith("oom_kill "):
            return int(line.split()[1])
    return 0
