"""What this device is. Reads files; runs a program only where no file has it (systemd's version at odd places, macOS).

What is unknown is a text ("unknown board") or, for numbers, 0; nothing here raises.
"""

import importlib.util
import os
import pwd
import shutil
import struct
import sys
from pathlib import Path
from typing import Optional

from edgeq.nouns.device import Facts

from .probes.board import board_name
from .probes.cpu import instruction_sets, max_frequency_khz, model_name, read_cpuinfo
from .probes.emulation import emulated
from .probes.free_memory import memory_of
from .probes.read_file import text_of
from .probes.userland import libc_name, missing_libraries, os_name, systemd_version, userland_arch

# What a runtime needs, by import name; found here it need not be sent (32-bit boards take numpy from the distribution).
_MODULES = ("numpy", "psutil", "onnxruntime", "ai_edge_litert", "tflite_runtime")


def read_facts(
    root: str,
    fs: Path = Path("/"),
    kernel: Optional[os.uname_result] = None,
    bits: int = struct.calcsize("P") * 8,
) -> Facts:
    """The facts of this device; `root` is edgeq's folder there. The rest is for tests: where /proc, /sys and /etc are
    read, what uname said, and how long a pointer is.
    """
    kernel = kernel or os.uname()
    cpuinfo = read_cpuinfo(fs)
    total, available = memory_of(fs)
    ground = _existing(Path(root))
    return Facts(
        board=board_name(fs),
        machine=kernel.machine,
        arch=userland_arch(kernel.machine, bits),
        bits=bits,
        cpu_model=model_name(cpuinfo),
        cores=_cores(),
        isa=instruction_sets(cpuinfo),
        max_frequency_khz=max_frequency_khz(fs),
        memory_total=total or 0,
        memory_available=available or 0,
        python=".".join(map(str, sys.version_info[:3])),
        python_path=sys.executable,
        libc=libc_name(fs),
        os=os_name(fs),
        kernel=f"{kernel.sysname} {kernel.release}",
        hostname=kernel.nodename,
        user=_user(),
        boot_id=text_of(fs / "proc/sys/kernel/random/boot_id") or "unknown",
        root=root,
        root_free=shutil.disk_usage(ground).free,
        root_writable=os.access(ground, os.W_OK | os.X_OK),
        emulated=emulated(fs, kernel.machine),
        systemd=systemd_version(fs),
        has_modules={name: version for name in _MODULES for version in [_installed(name)] if version},
        machine_id=text_of(fs / "etc/machine-id") or "",
        lacking=missing_libraries(),
    )


def _existing(path: Path) -> Path:
    """The nearest folder above `path` that is there: where `path` would be made."""
    path = path.absolute()
    return next((p for p in (path, *path.parents) if p.is_dir()), Path("/"))


def _cores() -> int:
    """The cores this process may use, which a container or a cpuset can make fewer than the board has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:  # without a passwd entry, as in containers
        return f"uid {os.geteuid()}"


def _installed(module: str) -> Optional[str]:
    """The version of an importable module, without importing it: numpy alone would cost 30 MB here. It stands in the
    name of the folder beside it, `numpy-2.1.0.dist-info`, or `.egg-info` where a distribution packaged it.
    """
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent.parent
    infos = [p for kind in ("dist-info", "egg-info") for p in folder.glob(f"{module}-*.{kind}")]
    return infos[0].stem.split("-")[1] if infos else "unknown version"
