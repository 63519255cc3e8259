"""Numbers as people read them: three significant digits, a unit always. Sizes are decimal (1 MB = 1,000,000 bytes)."""

from collections.abc import Callable
from math import ceil, floor

from edgeq.nouns.measurement import Energy
from edgeq.nouns.report import Estimate

ABSENT = "-"
_WIDE = 0.2


def milliseconds(value: float | None) -> str:
    return ABSENT if value is None else f"{_significant(value)} ms"


def seconds(value: float) -> str:
    return f"{value:.0f} s" if value >= 10 else f"{value:.1f} s"


def size(value: float | None) -> str:
    if value is None:
        return ABSENT
    for limit, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if value >= 0.9995 * limit:
            return f"{_one_decimal(value / limit)} {unit}"
    return f"{value:.0f} B"


def joules(energy: Energy | None) -> str:
    """With its kind: "estimated" is part of the figure."""
    if energy is None:
        return ABSENT
    for limit, unit in ((1.0, "J"), (1e-3, "mJ"), (0.0, "µJ")):
        if energy.joules_per_inference >= limit:
            value = energy.joules_per_inference / (limit or 1e-6)
            return f"{_significant(value)} {unit} {energy.kind}"
    return f"{energy.joules_per_inference:.3g} J {energy.kind}"


def percent(share: float, digits: int = 1) -> str:
    return f"{100 * share:.{digits}f} %"


def median(estimate: Estimate) -> str:
    """A duration in ms with its interval: "4.26 ms ±0.02", "10.0 ms (6.1 to 26.2)" where that is wide."""
    return milliseconds(estimate.value) + _interval(estimate, _decimals(estimate.value))


def times(estimate: Estimate) -> str:
    """A factor with its interval: "2.10x ±0.01"."""
    return f"{estimate.value:.2f}x" + _interval(estimate, 2)


def difference(value: float, low: float, high: float, decimals: int) -> str:
    """In points, with the longer side of its interval: "-0.1 ±0.4"."""
    half = max(value - low, high - value)
    return f"{value:+.{decimals}f} ±{_outwards(half, decimals, ceil)}"


def per_second(value: float) -> str:
    return f"{_significant(value)} /s"


def day_and_time(utc: str | None) -> str:
    """ISO 8601 to the minute."""
    return ABSENT if not utc else utc[:16].replace("T", " ") + " UTC"


def short(digest: str | None) -> str:
    return ABSENT if not digest else digest[:7]


def _interval(estimate: Estimate, decimals: int) -> str:
    """The longer side, rounded up: an interval is never printed narrower than it is. A wide one is not symmetric, and
    half of it may exceed the value: that is printed by its ends.
    """
    if estimate.low is None or estimate.high is None:
        return ""
    half = max(estimate.value - estimate.low, estimate.high - estimate.value)
    if half > _WIDE * estimate.value:
        return f" ({_outwards(estimate.low, decimals, floor)} to {_outwards(estimate.high, decimals, ceil)})"
    return f" ±{_outwards(half, decimals, ceil)}"


def _outwards(end: float, decimals: int, away: Callable[[float], int]) -> str:
    steps = away(round(end * 10**decimals, 6))  # 0.03 is 0.0300...02
    return f"{steps / 10**decimals:,.{decimals}f}"


def _significant(value: float) -> str:
    return f"{value:,.{_decimals(value)}f}"


def _decimals(value: float) -> int:
    """How many make three significant digits."""
    for limit, digits in ((99.95, 0), (9.995, 1), (0.9995, 2), (0.09995, 3), (0.009995, 4)):
        if abs(value) >= limit:
            return digits
    return 5


def _one_decimal(value: float) -> str:
    return f"{value:.1f}" if value < 9.95 else f"{value:,.0f}"
