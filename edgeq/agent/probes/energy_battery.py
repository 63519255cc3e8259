"""A battery that is being drained (Documentation/ABI/testing/sysfs-class-power): coarse, but it is the whole device.

power_now in microwatts, else voltage_now (microvolts) times current_now (microamperes, negative on some drivers).
"""

from functools import partial
from pathlib import Path
from typing import Optional

from .energy import Meter, integrated
from .read_file import int_of, text_of

RANK = 50


def absent(fs: Path) -> Optional[str]:
    batteries = [s for s in (fs / "sys/class/power_supply").glob("*") if text_of(s / "type") == "Battery"]
    if not batteries:
        return "no battery in /sys/class/power_supply"
    return None if _draining(fs) else "the battery is not being drained: its current is not the device's"


def meter(fs: Path) -> Meter:
    batteries = _draining(fs)
    names = ", ".join(b.name for b in batteries)
    return Meter(f"battery {names}: the whole device, coarse", integrated(partial(_watts, batteries)))


def _draining(fs: Path) -> "list[Path]":
    supplies = sorted((fs / "sys/class/power_supply").glob("*"))
    draining = [
        s for s in supplies if text_of(s / "type") == "Battery" and text_of(s / "status") == "Discharging"
    ]
    return [s for s in draining if _battery_watts(s) is not None]


def _watts(batteries: "list[Path]") -> float:
    return sum(_battery_watts(b) or 0.0 for b in batteries)


def _battery_watts(battery: Path) -> Optional[float]:
    microwatts = int_of(battery / "power_now")
    if microwatts is not None:
        return abs(microwatts) * 1e-6
    microvolts, microamperes = int_of(battery / "voltage_now"), int_of(battery / "current_now")
    if microvolts is None or microamperes is None:
        return None
    return abs(microvolts * 1e-6 * microamperes * 1e-6)
