"""Under which conditions a device was measured: a line of what it was like before and after, for one measurement."""

from collections.abc import Iterator

from edgeq.nouns.device import Conditions
from edgeq.nouns.measurement import Measurement
from edgeq.report.formats.units import day_and_time


def conditions(measurement: Measurement) -> list[str]:
    """Facts for one line. What could not be read is "not available", with the reason."""
    before, after = measurement.before, measurement.after
    return [
        f"{day_and_time(measurement.started_utc)} as user {measurement.facts.user}",
        _governor(before),
        _temperature(before, after),
        *_frequency(before, after),
        *_throttled(after),
        *([f"load {before.load1:.2f}"] if before.load1 is not None else []),
    ]


def _governor(before: Conditions) -> str:
    names = sorted(set(before.governor.values()))
    return f"governor {', '.join(names)}" if names else f"governor {_absent(before, 'governor')}"


def _temperature(before: Conditions, after: Conditions) -> str:
    """Of the zone that is hottest at the end."""
    if not after.temperature_mc:
        return f"temperature {_absent(after, 'temperature_mc')}"
    zone, hottest = max(after.temperature_mc.items(), key=lambda z: z[1])
    start = before.temperature_mc.get(zone, hottest)
    return f"{zone} {start / 1000:.1f} -> {hottest / 1000:.1f} °C"


def _frequency(before: Conditions, after: Conditions) -> Iterator[str]:
    """Of the fastest policy; a device without frequencies has no governor either, which is printed already."""
    if after.frequency_khz:
        policy, fastest = max(after.frequency_khz.items(), key=lambda p: p[1])
        start = before.frequency_khz.get(policy, fastest)
        yield f"{start / 1000:,.0f} -> {fastest / 1000:,.0f} MHz"


def _throttled(after: Conditions) -> Iterator[str]:
    if after.throttled:
        yield f"firmware reports throttling or under-voltage (bits {after.throttled:#x})"


def _absent(conditions: Conditions, key: str) -> str:
    return f"not available: {conditions.absent.get(key, 'not read')}"
