"""What programs on this device are built for, which need not be what its kernel is built for."""

import os
import platform
import subprocess
from pathlib import Path
from typing import Optional

from .read_file import text_of

_32_BIT = {"aarch64": "armv7l", "armv8l": "armv7l", "x86_64": "i686"}
_SPELLINGS = {"arm64": "aarch64", "amd64": "x86_64"}
# Libraries that wheels may require besides the C library (PEP 600), and that a system with nothing but python3 may lack.
_LIBRARIES = ("libstdc++.so.6",)


def userland_arch(machine: str, bits: int) -> str:
    """The architecture of wheels that load here: Raspberry Pi OS (32-bit) runs armv7l programs on an aarch64 kernel,
    where uname tells the kernel's name and only the size of a pointer tells the truth.
    """
    name = _SPELLINGS.get(machine.lower(), machine)
    return _32_BIT.get(name, name) if bits == 32 else name


def libc_name(fs: Path) -> str:
    """ "glibc 2.36", "musl", or "unknown libc"."""
    try:
        glibc = os.confstr("CS_GNU_LIBC_VERSION")
    except (ValueError, OSError, AttributeError):
        glibc = None
    if glibc:
        return glibc
    if any((fs / "lib").glob("ld-musl-*.so.1")):
        return "musl"
    release = platform.mac_ver()[0]
    return f"libSystem of macOS {release}" if release else "unknown libc"


def missing_libraries(names: "tuple[str, ...]" = _LIBRARIES) -> "tuple[str, ...]":
    """Those that the loader does not find; loading one is the only way to know, and costs a megabyte."""
    import ctypes

    missing = []
    for name in names:
        try:
            ctypes.CDLL(name)
        except OSError:
            missing.append(name)
    return tuple(missing)


def os_name(fs: Path) -> str:
    """PRETTY_NAME of os-release(5), else the kernel's name and release."""
    for path in ("etc/os-release", "usr/lib/os-release"):
        for line in (text_of(fs / path) or "").splitlines():
            if line.startswith("PRETTY_NAME="):
                return line.partition("=")[2].strip().strip("\"'")
    release = platform.mac_ver()[0]
    return f"macOS {release}" if release else f"{platform.system()} {platform.release()}"


def systemd_version(fs: Path) -> Optional[str]:
    """Its version where it is PID 1 (sd_booted(3): /run/systemd/system exists), else None."""
    if not (fs / "run/systemd/system").is_dir():
        return None
    for pattern in ("usr/lib/systemd", "lib/systemd", "usr/lib/*/systemd", "usr/lib64/systemd"):
        for library in fs.glob(f"{pattern}/libsystemd-shared-*.so"):
            return library.stem.rpartition("shared-")[2]
    return _asked_version() or "unknown version"


def _asked_version() -> Optional[str]:
    """A distribution that keeps the library elsewhere: `systemd 252 (252.38-1)` is the first line."""
    try:
        out = subprocess.run(
            ["systemctl", "--version"], capture_output=True, text=True, timeout=5, check=False
        )
        return out.stdout.split()[1]
    except (OSError, subprocess.TimeoutExpired, IndexError):
        return None
