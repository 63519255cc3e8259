"""Whether this machine is an emulator, whose times say nothing of any device.

Virtual machines are not emulators: under KVM the CPU executes the code itself. Where the two cannot be told apart
(an arm64 guest with a named CPU) nothing is claimed; a lab says so itself by a marker file.
"""

import os
from pathlib import Path
from typing import Optional

from .board import dmi_vendor
from .cpu import processors, read_cpuinfo
from .read_file import text_of

_MARKERS = ("etc/edgeq-emulated", "run/edgeq-emulated")


def emulated(fs: Path, machine: str) -> Optional[str]:
    """How the emulator was recognised, None on hardware and on virtual machines. `machine` is uname's."""
    return _marked(fs) or _qemu_user(fs, machine) or _qemu_system(fs)


def _marked(fs: Path) -> Optional[str]:
    for marker in _MARKERS:
        if (fs / marker).exists():
            return text_of(fs / marker) or f"marker file /{marker}"
    return None


def _qemu_user(fs: Path, machine: str) -> Optional[str]:
    """qemu-user rewrites /proc/self/cmdline for its guest, not the same file under /proc/self/task."""
    task = fs / "proc/self/task" / str(os.getpid()) / "cmdline"
    try:
        started = task.read_bytes().split(b"\0")[0].decode(errors="replace")
    except OSError:
        started = ""
    name = started.rpartition("/")[2]
    if name.startswith("qemu-") or "-binfmt" in name:
        return f"qemu-user: this process was started as {started}"
    cores = processors(read_cpuinfo(fs))
    if machine.startswith(("aarch64", "arm")) and cores and "vendor_id" in cores[0]:
        return f"user-mode emulation: /proc/cpuinfo shows {cores[0]['vendor_id']} under an {machine} userland"
    return None


def _qemu_system(fs: Path) -> Optional[str]:
    cores = processors(read_cpuinfo(fs))
    first = cores[0] if cores else {}
    if "QEMU TCG" in first.get("model name", ""):
        return f"QEMU TCG: the CPU calls itself {first['model name']}"
    if first.get("cpu implementer") == "0x00" and first.get("cpu part") == "0x051":
        return "QEMU TCG: the CPU is -cpu max (implementer 0x00, part 0x051)"
    clocks = text_of(fs / "sys/devices/system/clocksource/clocksource0/available_clocksource")
    accelerated = clocks is None or "kvm" in clocks or "hyperv" in clocks
    if dmi_vendor(fs) == "QEMU" and "flags" in first and not accelerated:
        return "QEMU without KVM: the firmware is QEMU's and the kernel found no clock of a hypervisor"
    return None
