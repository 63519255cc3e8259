"""Pressure as the agent reports it (the kernel's PSI), in words for the default screen."""

import re

_PRESSURE = re.compile(r"(cpu|memory) pressure reached ([\d.]+) % \(PSI some avg10, limit ([\d.]+) %\)")
_WHAT = {"cpu": "the CPU", "memory": "the memory"}


def in_plain_words(why: str) -> str:
    """`why` with each pressure as who caused it: "other programs used the CPU (pressure 99 %, limit 20 %)"."""
    return _PRESSURE.sub(
        lambda m: f"other programs used {_WHAT[m[1]]} (pressure {float(m[2]):.0f} %, limit {m[3]} %)", why
    )
