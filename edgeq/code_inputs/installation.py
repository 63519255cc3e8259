"""Which files belong to the interpreter and its packages, and which are the user's."""

import os
import site
import sys
import sysconfig
from functools import cache
from pathlib import Path

_OF_PACKAGES = ("site-packages", "dist-packages")


@cache
def _folders() -> tuple[str, ...]:
    named = (sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib", "scripts"))
    packages = (entry for entry in sys.path if os.path.basename(entry) in _OF_PACKAGES)
    folders = {*named, *packages, site.getusersitepackages(), str(Path(__file__).parent.parent)}
    both = {path for folder in folders for path in (os.path.abspath(folder), os.path.realpath(folder))}
    return tuple(sorted(os.path.join(path, "") for path in both))


def is_installed(path: str) -> bool:
    """Whether the absolute `path` lies with the standard library, a package that was installed, or edgeq."""
    return path.startswith(_folders())


def package_of(path: str) -> str | None:
    """The top-level name below which an installed file lies; "" for the standard library, None for files of the user's."""
    if not is_installed(path):
        return None
    parts = Path(path).parts
    at = max((i for i, part in enumerate(parts) if part in _OF_PACKAGES), default=None)
    return "" if at is None or at + 1 >= len(parts) else parts[at + 1].partition(".")[0]
