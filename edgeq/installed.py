"""Which of some packages are installed here, and in which versions; edgeq's own sources too."""

import importlib.metadata
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from edgeq.nouns.record import digest_of


def installed_versions(names: Iterable[str]) -> dict[str, str]:
    """Those that are missing are not in it."""
    found = {}
    for name in names:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


@cache
def own_sources() -> str:
    """Another after a file of edgeq's was edited, which gives it no other version."""
    package = Path(__file__).parent
    stats = [(path, path.stat()) for suffix in ("py", "toml") for path in package.rglob(f"*.{suffix}")]
    return digest_of(sorted([str(path.relative_to(package)), s.st_size, s.st_mtime_ns] for path, s in stats))
