"""Which names and paths from outside may become files. Nothing that leaves its folder, hides, or surprises."""

import re
from typing import Optional

# What an app, a candidate, a job, a wheel's folder may be called. fullmatch, so that no newline slips past a "$".
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]{0,127}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_LONGEST_PATH = 512


def is_name(text: str) -> bool:
    return _NAME.fullmatch(text) is not None


def is_sha256(text: str) -> bool:
    return _SHA256.fullmatch(text) is not None


def problem_of_path(path: str) -> Optional[str]:
    """Why the relative path `path` is not safe to create below a folder; None when it is."""
    if not path:
        return "is empty"
    if len(path) > _LONGEST_PATH:
        return f"is longer than {_LONGEST_PATH} characters"
    if path.startswith("/"):
        return "is absolute"
    if "\\" in path:
        return "has a backslash"
    if not path.isprintable():
        return "has a character that cannot be printed"
    for part in path.split("/"):
        if part in ("", ".", ".."):
            return f"has the component {part!r}"
        if len(part.encode("utf-8")) > 200:
            return "has a component longer than 200 bytes"
    return None
