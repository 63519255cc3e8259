"""One value out of a kernel file; None where the file is not there, may not be read or does not hold a number."""

from pathlib import Path
from typing import Optional


def text_of(path: Path) -> Optional[str]:
    """The file's text without surrounding blanks and the NUL bytes that end device tree strings."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").replace("\0", "").strip()
    except (OSError, ValueError):
        return None


def int_of(path: Path, base: int = 10) -> Optional[int]:
    try:
        return int(text_of(path) or "", base)
    except ValueError:
        return None
