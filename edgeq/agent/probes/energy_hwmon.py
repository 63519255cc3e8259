"""Other chips that tell power or energy by Linux hwmon (Documentation/hwmon/sysfs-interface.rst).

energyN_input counts microjoules, powerN_input and powerN_average are microwatts.
"""

from functools import partial
from pathlib import Path
from typing import Optional

from .energy import Meter, counted, integrated
from .read_file import int_of, text_of

RANK = 40
_ENERGY_BITS = 2**64 - 1


def absent(fs: Path) -> Optional[str]:
    return (
        None
        if _readable(fs, "energy*_input") or _powers(fs)
        else "no power or energy sensor in /sys/class/hwmon"
    )


def meter(fs: Path) -> Meter:
    energies = _readable(fs, "energy*_input")
    if energies:
        readings = [partial(_value, path) for path in energies]
        return Meter(_words(energies), counted(readings, [_ENERGY_BITS] * len(energies), 1e-6))
    return Meter(_words(_powers(fs)), integrated(partial(_watts, _powers(fs))))


def _powers(fs: Path) -> "list[Path]":
    return _readable(fs, "power*_input") or _readable(fs, "power*_average")


def _readable(fs: Path, pattern: str) -> "list[Path]":
    files = sorted((fs / "sys/class/hwmon").glob(f"hwmon*/{pattern}"))
    return [
        f for f in files if int_of(f) is not None and not (text_of(f.parent / "name") or "").startswith("ina")
    ]


def _words(files: "list[Path]") -> str:
    chips = sorted({f"{text_of(f.parent / 'name') or f.parent.name} {f.name}" for f in files})
    return f"hwmon {', '.join(chips)}, idle power included"


def _value(path: Path) -> int:
    return int(path.read_text())


def _watts(files: "list[Path]") -> float:
    return sum(_value(path) for path in files) * 1e-6
