"""How much memory this process holds, by the kernel's own accounts. Sizes in bytes."""

import resource
from pathlib import Path
from typing import Optional

from .read_file import int_of, text_of


def resident(fs: Path) -> "tuple[Optional[int], Optional[int]]":
    """(now, highest so far): VmRSS and VmHWM of proc_pid_status(5)."""
    lines = (text_of(fs / "proc/self/status") or "").splitlines()
    kib = {line.partition(":")[0]: line.partition(":")[2].split() for line in lines}
    now, peak = kib.get("VmRSS"), kib.get("VmHWM")
    return int(now[0]) * 1024 if now else None, int(peak[0]) * 1024 if peak else None


def account(fs: Path) -> "dict[str, object]":
    """Everything but the phases: what `MemoryUse` calls rss_peak, pss, cgroup_peak and the faults, and why one is absent."""
    faults = resource.getrusage(resource.RUSAGE_SELF)
    cgroup_peak, why_no_cgroup = _cgroup_peak(fs)
    found = {"rss_peak": resident(fs)[1], "pss": _proportional(fs), "cgroup_peak": cgroup_peak}
    reasons = {
        "rss_peak": "no VmHWM in /proc/self/status",
        "pss": "no /proc/self/smaps_rollup (Linux 4.14 and up)",
        "cgroup_peak": why_no_cgroup,
    }
    absent = {name: reasons[name] for name, value in found.items() if value is None}
    return {**found, "minor_faults": faults.ru_minflt, "major_faults": faults.ru_majflt, "absent": absent}


def own_cgroup(fs: Path) -> Optional[Path]:
    """The folder of this process's cgroup v2, None under v1 and in the root group, which has no limits or peaks."""
    for line in (text_of(fs / "proc/self/cgroup") or "").splitlines():
        number, _, path = line.split(":", 2)
        if number == "0" and path != "/":
            return fs / "sys/fs/cgroup" / path.lstrip("/")
    return None


def _cgroup_peak(fs: Path) -> "tuple[Optional[int], str]":
    group = own_cgroup(fs)
    if group is None:
        return None, "this process is in no cgroup v2 of its own"
    return int_of(group / "memory.peak"), "no memory.peak (memory controller off, or Linux older than 5.19)"


def _proportional(fs: Path) -> Optional[int]:
    for line in (text_of(fs / "proc/self/smaps_rollup") or "").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return None
