"""RAPL: the CPU package's own counter, by the kernel's powercap interface (Documentation/power/powercap).

Readable by root alone since CVE-2020-8694. Microjoules that wrap at max_energy_range_uj.
"""

import os
from functools import partial
from pathlib import Path
from typing import Optional

from .energy import Meter, counted
from .read_file import int_of, text_of

RANK = 30


def absent(fs: Path) -> Optional[str]:
    packages = _packages(fs)
    if not packages:
        return "no CPU package in /sys/class/powercap"
    if not all(os.access(p / "energy_uj", os.R_OK) for p in packages):
        return "energy_uj of powercap is readable by root alone"
    return None


def meter(fs: Path) -> Meter:
    packages = _packages(fs)
    names = ", ".join(text_of(p / "name") or p.name for p in packages)
    readings = [partial(_microjoules, p) for p in packages]
    ranges = [int_of(p / "max_energy_range_uj") or 2**32 - 1 for p in packages]
    return Meter(f"RAPL {names}: CPU packages with their idle power", counted(readings, ranges, 1e-6))


def _packages(fs: Path) -> "list[Path]":
    """Top-level zones named package-N; their sub-zones (core, dram) are part of them or not wanted."""
    zones = sorted((fs / "sys/class/powercap").glob("intel-rapl:[0-9]*"))
    return [z for z in zones if z.name.count(":") == 1 and (text_of(z / "name") or "").startswith("package")]


def _microjoules(package: Path) -> int:
    return int((package / "energy_uj").read_text())
