"""Words of a device, made fit for this host's terminal: whoever took the device over shall not steer it by escape codes."""

import re
from typing import Any

# C0 but for tab and newline, DEL, and C1, which terminals take for escape sequences as well (ECMA-48).
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def printable(value: Any) -> Any:
    """The same JSON value, each control character in its strings and keys replaced by U+FFFD."""
    if isinstance(value, str):
        return _CONTROL.sub("\ufffd", value)
    if isinstance(value, list):
        return [printable(item) for item in value]
    if isinstance(value, dict):
        return {printable(key): printable(item) for key, item in value.items()}
    return value
