"""From "every 6h" to a systemd calendar expression. Knows no unit."""

import re
from dataclasses import dataclass

from edgeq.errors import TargetRefused

_LONGEST_SPREAD_S = 600
_FORMS = "5min, 15min, 30min, 1h, 2h, 6h, 12h, 1d or 7d"


@dataclass(frozen=True)
class Schedule:
    """`calendar` is what OnCalendar= takes; each run is moved by up to `spread_s` seconds, other on each device."""

    calendar: str
    spread_s: int


def schedule(every: str) -> Schedule:
    """`every` has to divide its hour, day or week: only then do the runs fall on the same times each day, and only
    then can one that was missed while the device was off be made up for. Raises TargetRefused.
    """
    found = re.fullmatch(r"(\d{1,4})\s*(min|m|h|d)", every.strip())
    count, unit = (int(found[1]), found[2][0]) if found else (0, "")
    period_s = {
        "m": 60 * count if count and 60 % count == 0 else 0,
        "h": 3600 * count if count and 24 % count == 0 else 0,
        "d": 86400 * count if count in (1, 7) else 0,
    }.get(unit, 0)
    if not period_s:
        raise TargetRefused(
            f"cannot measure every {every!r}", f"say a time that divides its hour or day: {_FORMS}"
        )
    return Schedule(_calendar(count, unit), min(period_s // 10, _LONGEST_SPREAD_S))


def _calendar(count: int, unit: str) -> str:
    if unit == "m":
        return f"*:0/{count}" if count < 60 else "hourly"
    if unit == "h":
        return f"0/{count}:00" if count < 24 else "daily"
    return "daily" if count == 1 else "weekly"
