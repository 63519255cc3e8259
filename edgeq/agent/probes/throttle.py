"""Whether a Raspberry Pi's firmware slowed the CPU or saw too low a supply voltage.

Bits as `vcgencmd get_throttled` gives them (Raspberry Pi documentation, "vcgencmd"): 0 under-voltage, 1 frequency
capped, 2 throttled, 3 soft temperature limit, all now; the same four from bit 16 on, since boot.
"""

import subprocess
from pathlib import Path
from typing import Optional, Union

from .read_file import int_of, text_of

WORDS = {0: "under-voltage", 1: "frequency capped", 2: "throttled", 3: "soft temperature limit"}
SINCE_BOOT = 16
_FIRMWARE = "sys/devices/platform/soc/soc:firmware/get_throttled"


def throttled(fs: Path) -> Union[int, str]:
    """The bits, or why there are none."""
    bits = int_of(fs / _FIRMWARE, base=16)
    if bits is not None:
        return bits
    bits = _vcgencmd(fs)
    if bits is not None:
        return bits
    bits = _under_voltage_alarm(fs)
    return bits if bits is not None else "no Raspberry Pi firmware (get_throttled, vcgencmd, rpi_volt)"


def find_vcgencmd(fs: Path) -> Optional[Path]:
    places = (fs / folder / "vcgencmd" for folder in ("usr/bin", "opt/vc/bin", "usr/local/bin"))
    return next((p for p in places if p.is_file()), None)


def ask_firmware(fs: Path, *words: str) -> Optional[str]:
    """What `vcgencmd words` prints; None without the tool, or when it may not reach the firmware (group video)."""
    tool = find_vcgencmd(fs)
    if tool is None:
        return None
    try:
        done = subprocess.run([str(tool), *words], capture_output=True, text=True, timeout=2, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def _vcgencmd(fs: Path) -> Optional[int]:
    name, _, value = (ask_firmware(fs, "get_throttled") or "").strip().partition("=")
    try:
        return int(value, 16) if name == "throttled" else None
    except ValueError:
        return None


def _under_voltage_alarm(fs: Path) -> Optional[int]:
    """The kernel's raspberrypi-hwmon driver knows the first bit only."""
    for chip in (fs / "sys/class/hwmon").glob("hwmon*"):
        if text_of(chip / "name") == "rpi_volt":
            return int_of(chip / "in0_lcrit_alarm")
    return None
