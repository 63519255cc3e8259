"""Finds QEMU's user-mode emulators: programs that run one process of another CPU, without root and without a VM."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from edgeq.errors import ExtraMissing, TargetRefused

# The userland's architecture -> QEMU's name of it; the file may have "-static" behind.
_PROGRAMS = {"aarch64": "qemu-aarch64", "armv7l": "qemu-arm", "x86_64": "qemu-x86_64"}
_OLDEST = (
    7,
    2,
)  # the first whose code generator has AVX2; without it runtimes take other kernels, and nothing shows


@dataclass(frozen=True)
class Qemu:
    """An emulator that is installed here."""

    path: Path
    version: str

    def __str__(self) -> str:
        return f"{self.path.name.removesuffix('-static')} {self.version}"


def find(arch: str) -> Qemu:
    """The emulator for programs of `arch`. Raises ExtraMissing where there is none or only one that is too old."""
    if arch not in _PROGRAMS:
        raise TargetRefused(f"no emulator is known for {arch}", f"there are {', '.join(_PROGRAMS)}")
    name = _PROGRAMS[arch]
    path = shutil.which(f"{name}-static") or shutil.which(name)
    if path is None:
        raise ExtraMissing(
            f"{name} is not installed: it runs {arch} programs on this machine",
            "on Debian and Ubuntu: apt-get install qemu-user-static (QEMU's user mode needs Linux)",
        )
    found = Qemu(Path(path), _version(path))
    if _numbers(found.version) < _OLDEST:
        raise ExtraMissing(
            f"{found} is too old: before 7.2 it has no AVX2 and would show another CPU's arithmetic",
            "use Debian 12 or Ubuntu 23.04 and later, or put a newer QEMU first on PATH",
        )
    return found


def _version(path: str) -> str:
    """ "7.2.22" of "qemu-x86_64 version 7.2.22 (Debian 1:7.2+dfsg-7)"; "0" where it does not say."""
    said = subprocess.run([path, "--version"], capture_output=True, text=True).stdout
    found = re.search(r"version (\d+(?:\.\d+)+)", said)
    return found[1] if found else "0"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(n) for n in version.split("."))
