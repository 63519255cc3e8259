"""A length of time as it is typed: 90s, 10m, 1.5h."""

import re

_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600}


def seconds_of(text: str | None) -> float | None:
    """None for None. Raises ValueError."""
    if text is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|m|min|h)", text.strip())
    if found is None or float(found[1]) == 0:
        raise ValueError(f"{text!r} is no length of time such as 90s, 10m or 1h")
    return float(found[1]) * _SECONDS[found[2]]
