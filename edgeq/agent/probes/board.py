"""Which board this is: the device tree's word, else the firmware's (DMI), else none."""

import platform
from pathlib import Path
from typing import Optional

from .read_file import text_of

# What firmware vendors leave in DMI fields that they did not fill in.
_UNFILLED = {
    "",
    "none",
    "default string",
    "to be filled by o.e.m.",
    "system product name",
    "system manufacturer",
}


def board_name(fs: Path) -> str:
    return _device_tree(fs) or _dmi(fs) or f"unknown board ({platform.system()} {platform.machine()})"


def dmi_vendor(fs: Path) -> Optional[str]:
    return text_of(fs / "sys/class/dmi/id/sys_vendor")


def _device_tree(fs: Path) -> Optional[str]:
    return text_of(fs / "proc/device-tree/model") or text_of(fs / "sys/firmware/devicetree/base/model")


def _dmi(fs: Path) -> Optional[str]:
    words = [dmi_vendor(fs), text_of(fs / "sys/class/dmi/id/product_name")]
    return " ".join(w for w in words if w and w.lower() not in _UNFILLED) or None
