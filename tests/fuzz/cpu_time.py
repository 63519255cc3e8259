"""The CPU time of a process and of all that it started: what a case costs, however busy the machine is."""

import os
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """User and system time of `pid`, of its living descendants, and of those that they have waited for; 0.0 once it is gone."""
    parents, spent = {}, {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
            except OSError:  # it ended meanwhile
                continue
            parents[int(entry.name)] = int(fields[1])
            spent[int(entry.name)] = sum(int(ticks) for ticks in fields[11:15])
    return sum(spent[one] for one in spent if _descends(one, pid, parents)) / _TICKS_PER_S


def _descends(one: int, pid: int, parents: "dict[int, int]") -> bool:
    while one and one != pid:
        one = parents.get(one, 0)
    return one == pid
