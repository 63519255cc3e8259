"""What /proc/cpuinfo says of the CPU: its name and the instruction sets that all of its cores have.

ARM kernels print numbers instead of names; the table below holds the parts that boards are built of, from the
MIDR_EL1 values in Linux `arch/arm64/include/asm/cputype.h` and `arch/arm/include/asm/cputype.h`.
"""

from pathlib import Path
from typing import Optional

from .read_file import int_of, text_of

_ARM_PARTS = {
    "0xb76": "ARM1176",
    "0xc07": "Cortex-A7",
    "0xc08": "Cortex-A8",
    "0xc09": "Cortex-A9",
    "0xc0f": "Cortex-A15",
    "0xd03": "Cortex-A53",
    "0xd04": "Cortex-A35",
    "0xd05": "Cortex-A55",
    "0xd07": "Cortex-A57",
    "0xd08": "Cortex-A72",
    "0xd09": "Cortex-A73",
    "0xd0a": "Cortex-A75",
    "0xd0b": "Cortex-A76",
    "0xd0c": "Neoverse-N1",
    "0xd0d": "Cortex-A77",
    "0xd40": "Neoverse-V1",
    "0xd41": "Cortex-A78",
    "0xd42": "Cortex-A78AE",
    "0xd49": "Neoverse-N2",
    "0xd4f": "Neoverse-V2",
}
_ARM_IMPLEMENTER = "0x41"


def processors(cpuinfo: str) -> "list[dict[str, str]]":
    """One dictionary per core, keys in lower case. The board's own lines after the last core belong to none."""
    cores: list[dict[str, str]] = []
    for line in cpuinfo.splitlines():
        key, colon, value = (part.strip() for part in line.partition(":"))
        if key.lower() == "processor" and value.isdigit():
            cores.append({})
        if colon and cores:
            cores[-1].setdefault(key.lower(), value)
    return cores


def instruction_sets(cpuinfo: str) -> "tuple[str, ...]":
    """The flags common to all cores, sorted: on big.LITTLE a model may land on any of them."""
    per_core = [set(_flags(core)) for core in processors(cpuinfo)]
    return tuple(sorted(set.intersection(*per_core))) if per_core else ()


def model_name(cpuinfo: str) -> str:
    """ "Cortex-A72", "Intel(R) ...", or several joined by " + " where the cores differ."""
    names = [_core_name(core) for core in processors(cpuinfo)]
    return " + ".join(dict.fromkeys(name for name in names if name)) or "unknown CPU"


def max_frequency_khz(fs: Path) -> Optional[int]:
    """The highest frequency of any core, None where the kernel scales none."""
    found = [int_of(p) for p in (fs / "sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/cpuinfo_max_freq")]
    return max((f for f in found if f), default=None)


def read_cpuinfo(fs: Path) -> str:
    return text_of(fs / "proc/cpuinfo") or ""


def _flags(core: "dict[str, str]") -> "list[str]":
    return (core.get("flags") or core.get("features") or "").split()


def _core_name(core: "dict[str, str]") -> Optional[str]:
    implementer, part = core.get("cpu implementer"), core.get("cpu part")
    if implementer == _ARM_IMPLEMENTER and part in _ARM_PARTS:
        return _ARM_PARTS[part]
    if implementer and part:
        return f"implementer {implementer} part {part}"
    return core.get("model name")
