"""The Raspberry Pi 5's power chip: twelve rails with voltage and current, by `vcgencmd pmic_read_adc`.

    VDD_CORE_A current(7)=0.92871990A
    VDD_CORE_V volt(15)=0.72097620V

EXT5V, the supply itself, has a voltage only: what hangs on USB and the chip's own loss are not in the sum.
"""

import re
from functools import partial
from pathlib import Path
from typing import Optional

from .energy import Meter, integrated
from .throttle import ask_firmware

RANK = 20
_LINE = re.compile(r"^\s*(\S+)_([AV])\s+(?:current|volt)\(\d+\)=([0-9.]+)[AV]\s*$")


def absent(fs: Path) -> Optional[str]:
    text = ask_firmware(fs, "pmic_read_adc")
    if text is None:
        return "no vcgencmd that answers pmic_read_adc (Raspberry Pi 5)"
    return None if rail_watts(text) else "vcgencmd pmic_read_adc names no rail with both voltage and current"


def meter(fs: Path) -> Meter:
    rails = rail_watts(ask_firmware(fs, "pmic_read_adc") or "")
    return Meter(
        f"Pi 5 PMIC, {len(rails)} rails without USB and the chip's own loss, idle power included",
        integrated(partial(_watts, fs)),
    )


def rail_watts(text: str) -> "dict[str, float]":
    """Watts per rail that has both figures."""
    figures: dict[str, dict[str, float]] = {}
    for match in map(_LINE.match, text.splitlines()):
        if match:
            figures.setdefault(match[1], {})[match[2]] = float(match[3])
    return {rail: both["A"] * both["V"] for rail, both in figures.items() if len(both) == 2}


def _watts(fs: Path) -> float:
    rails = rail_watts(ask_firmware(fs, "pmic_read_adc") or "")
    if not rails:
        raise OSError("vcgencmd pmic_read_adc stopped answering")
    return sum(rails.values())
