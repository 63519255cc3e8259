"""Memory of the whole device in bytes: all of it, and what a new process can have without swapping."""

import os
import subprocess
from pathlib import Path
from typing import Optional

from .read_file import text_of


def memory_of(fs: Path) -> "tuple[Optional[int], Optional[int]]":
    """(total, available); None where unknown."""
    lines = (text_of(fs / "proc/meminfo") or "").splitlines()
    kib = {line.partition(":")[0]: line.partition(":")[2].split() for line in lines}
    if "MemTotal" in kib:
        total = int(kib["MemTotal"][0]) * 1024
        available = kib.get("MemAvailable") or kib.get("MemFree")
        return total, int(available[0]) * 1024 if available else None
    return _sysconf("SC_PHYS_PAGES"), _sysconf("SC_AVPHYS_PAGES") or _vm_stat()


def _sysconf(name: str) -> Optional[int]:
    try:
        return os.sysconf(name) * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return None


def _vm_stat() -> Optional[int]:
    """macOS: pages that can be had at once are the free, inactive and speculative ones."""
    try:
        out = subprocess.run(["vm_stat"], capture_output=True, text=True, timeout=5, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    pages = {k.strip(): v.strip(" .") for k, _, v in (line.partition(":") for line in out.splitlines())}
    wanted = [pages.get(f"Pages {kind}", "0") for kind in ("free", "inactive", "speculative")]
    count = sum(int(p) for p in wanted if p.isdigit())
    return count * os.sysconf("SC_PAGE_SIZE") if count else None
