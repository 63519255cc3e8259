"""The state of this device at one moment: what could disturb a measurement, or explain it afterwards.

A reading takes a few milliseconds, so it belongs between blocks, never into one.
"""

import os
import time
from pathlib import Path
from typing import Optional

from edgeq.nouns.device import Conditions

from .probes.free_memory import memory_of
from .probes.read_file import int_of, text_of
from .probes.throttle import throttled

_ROOT = Path("/")


def read_conditions(fs: Path = _ROOT) -> Conditions:
    bits = throttled(fs)
    steal, total, switches = _processor_times(fs)
    found = {
        "temperature_mc": _temperatures(fs),
        "frequency_khz": _frequencies(fs),
        "governor": _governors(fs),
        "pressure": _pressure(fs),
    }
    single = {
        "throttled": bits if isinstance(bits, int) else None,
        "load1": _load(fs),
        "steal_ticks": steal,
        "total_ticks": total,
        "context_switches": switches,
        "memory_available": memory_of(fs)[1],
    }
    reasons = {**_REASONS, "throttled": str(bits)}
    absent = {k: reasons[k] for k, v in {**found, **single}.items() if v is None or v == {}}
    return Conditions(uptime_ns=_uptime_ns(), **found, **single, absent=absent)  # type: ignore[arg-type]


_REASONS = {
    "temperature_mc": "no thermal zone in /sys/class/thermal",
    "frequency_khz": "the kernel scales no frequency (no cpufreq)",
    "governor": "the kernel scales no frequency (no cpufreq)",
    "pressure": "no /proc/pressure (kernel without PSI, or booted with psi=0)",
    "load1": "no load average",
    "steal_ticks": "no /proc/stat",
    "total_ticks": "no /proc/stat",
    "context_switches": "no /proc/stat",
    "memory_available": "no MemAvailable in /proc/meminfo",
}


def _uptime_ns() -> int:
    """Since boot, sleep included where the system counts it."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    return time.monotonic_ns()


def _temperatures(fs: Path) -> "dict[str, int]":
    found = {}
    for zone in sorted((fs / "sys/class/thermal").glob("thermal_zone*")):
        value = int_of(zone / "temp")  # a zone that sleeps answers with an error
        if value is not None:
            name = text_of(zone / "type") or zone.name
            found[name if name not in found else f"{name} ({zone.name})"] = value
    return found


def _policies(fs: Path) -> "list[Path]":
    cpu = fs / "sys/devices/system/cpu"
    return sorted(cpu.glob("cpufreq/policy*")) or sorted(cpu.glob("cpu[0-9]*/cpufreq"))


def _policy_name(policy: Path) -> str:
    return policy.name if policy.name.startswith("policy") else policy.parent.name


def _frequencies(fs: Path) -> "dict[str, int]":
    read = {_policy_name(p): int_of(p / "scaling_cur_freq") for p in _policies(fs)}
    return {name: khz for name, khz in read.items() if khz is not None}


def _governors(fs: Path) -> "dict[str, str]":
    read = {_policy_name(p): text_of(p / "scaling_governor") for p in _policies(fs)}
    return {name: governor for name, governor in read.items() if governor}


def _pressure(fs: Path) -> "dict[str, float]":
    """avg10 of the `some` line (Documentation/accounting/psi.rst): percent of time that some task had to wait."""
    found = {}
    for resource in ("cpu", "memory", "io"):
        for line in (text_of(fs / "proc/pressure" / resource) or "").splitlines():
            kind, *pairs = line.split()
            values = dict(pair.partition("=")[::2] for pair in pairs)
            if kind == "some" and "avg10" in values:
                found[resource] = float(values["avg10"])
    return found


def _processor_times(fs: Path) -> "tuple[Optional[int], Optional[int], Optional[int]]":
    """(steal, all, context switches) since boot. proc_stat(5): user nice system idle iowait irq softirq steal guest
    guest_nice, where the last two are already part of user and nice.
    """
    fields = {
        words[0]: words[1:]
        for words in map(str.split, (text_of(fs / "proc/stat") or "").splitlines())
        if words
    }
    ticks = [int(t) for t in fields.get("cpu", ())][:8]
    switches = int(fields["ctxt"][0]) if fields.get("ctxt") else None
    if len(ticks) < 8:
        return None, sum(ticks) or None, switches
    return ticks[7], sum(ticks), switches


def _load(fs: Path) -> Optional[float]:
    text = text_of(fs / "proc/loadavg")
    if text:
        return float(text.split()[0])
    try:
        return os.getloadavg()[0] if fs == _ROOT else None
    except OSError:
        return None
