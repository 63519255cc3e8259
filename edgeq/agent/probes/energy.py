"""Energy meters, one per file `energy_<source>.py`; the folder listing is the registry.

Each file has the same three things:

    RANK                       which is asked first: what sees the whole device before what sees its CPU alone
    absent(fs) -> str | None   why there is no such meter here, None when there is
    meter(fs) -> Meter         only where `absent` is None

A meter counts joules from its first reading on. Counters give exact differences; a source that reports watts only is
integrated over the readings, so it has to be read often.
"""

import importlib
import pkgutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

PREFIX = "energy_"


@dataclass(frozen=True)
class Meter:
    """`joules()` since the meter was made; raises OSError when the sensor stops answering."""

    source: str
    joules: Callable[[], float]


def find_meter(fs: Path) -> "tuple[Optional[Meter], dict[str, str]]":
    """The best meter of this device, or none and why each source is absent."""
    import edgeq.agent.probes as here

    names = [m.name for m in pkgutil.iter_modules(here.__path__) if m.name.startswith(PREFIX)]
    probes = [importlib.import_module(f"{here.__name__}.{name}") for name in names]
    reasons: dict[str, str] = {}
    for probe in sorted(probes, key=lambda p: (p.RANK, p.__name__)):
        reason = probe.absent(fs)
        if reason is None:
            found: Meter = probe.meter(fs)
            return found, reasons
        reasons[probe.__name__.rpartition(PREFIX)[2]] = reason
    return None, reasons


def counted(
    readings: "Sequence[Callable[[], int]]", ranges: Sequence[int], joules_per_unit: float
) -> "Callable[[], float]":
    """Sum over counters that start again at 0 past their range; read at least once per turn of the counter."""
    last = [read() for read in readings]
    units = 0

    def joules() -> float:
        nonlocal units
        for i, (read, modulus) in enumerate(zip(readings, ranges)):
            now = read()
            units += (now - last[i]) % (modulus + 1)
            last[i] = now
        return units * joules_per_unit

    return joules


def integrated(
    watts: Callable[[], float], clock: Callable[[], float] = time.monotonic
) -> "Callable[[], float]":
    """Trapezoids between readings."""
    last_time, last_watts = clock(), watts()
    total = 0.0

    def joules() -> float:
        nonlocal last_time, last_watts, total
        now, power = clock(), watts()
        total += (now - last_time) * (power + last_watts) / 2
        last_time, last_watts = now, power
        return total

    return joules
