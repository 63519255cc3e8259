"""INA219, 226, 260 and 3221 current monitors on the supply rails, as Linux hwmon shows them.

Documentation/hwmon/ina2xx.rst: power1_input in microwatts. ina3221.rst has no power: three channels of inN_input
(millivolts) and currN_input (milliamperes).
"""

from functools import partial
from pathlib import Path
from typing import Optional

from .energy import Meter, integrated
from .read_file import int_of, text_of

RANK = 10
_CHANNELS = (1, 2, 3)


def absent(fs: Path) -> Optional[str]:
    return None if _monitors(fs) else "no INA current monitor in /sys/class/hwmon"


def meter(fs: Path) -> Meter:
    monitors = _monitors(fs)
    names = ", ".join(sorted({text_of(m / "name") or "" for m in monitors}))
    return Meter(f"{names} on the supply rails, idle power included", integrated(partial(_watts, monitors)))


def _monitors(fs: Path) -> "list[Path]":
    chips = sorted((fs / "sys/class/hwmon").glob("hwmon*"))
    named = [c for c in chips if (text_of(c / "name") or "").startswith("ina")]
    return [c for c in named if _chip_watts(c) is not None]


def _watts(monitors: "list[Path]") -> float:
    return sum(_chip_watts(m) or 0.0 for m in monitors)


def _chip_watts(chip: Path) -> Optional[float]:
    microwatts = int_of(chip / "power1_input")
    if microwatts is not None:
        return microwatts * 1e-6
    pairs = [(int_of(chip / f"in{n}_input"), int_of(chip / f"curr{n}_input")) for n in _CHANNELS]
    rails = [mv * ma * 1e-6 for mv, ma in pairs if mv is not None and ma is not None]
    return sum(rails) if rails else None
