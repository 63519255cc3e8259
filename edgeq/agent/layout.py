"""Where things lie below the root (docs/protocol.md). Paths only: nothing here touches what is there."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

SYSTEM_ROOT = "/var/lib/edgeq"


@dataclass(frozen=True)
class Root:
    """The folder that holds all of edgeq on this device. `path` is absolute."""

    path: Path

    @property
    def agents(self) -> Path:
        return self.path / "agent"

    @property
    def wheels(self) -> Path:
        return self.path / "wheels"

    @property
    def incoming(self) -> Path:
        return self.path / "incoming"

    @property
    def samples(self) -> Path:
        return self.path / "samples"

    @property
    def apps(self) -> Path:
        return self.path / "apps"

    @property
    def jobs(self) -> Path:
        return self.path / "jobs"

    @property
    def running(self) -> Path:
        return self.jobs / "running"

    @property
    def results(self) -> Path:
        return self.path / "results"

    @property
    def lock(self) -> Path:
        return self.path / "lock.json"

    @property
    def lock_guard(self) -> Path:
        return self.path / "lock"

    @property
    def folders(self) -> "tuple[Path, ...]":
        """All that edgeq keeps in its root are these folders, the lock and its guard."""
        above = (self.agents, self.wheels, self.incoming, self.samples, self.apps, self.jobs)
        return (*above, self.running, self.results)

    def releases(self, app: str) -> Path:
        return self.apps / app / "releases"

    def release(self, app: str, digest: str) -> Path:
        return self.releases(app) / digest

    def current(self, app: str) -> Path:
        return self.apps / app / "current"

    def history(self, app: str) -> Path:
        return self.apps / app / "history.json"

    def measurement(self, job: str) -> Path:
        return self.results / job / "measurement.json"


def find_root(given: Optional[str]) -> Root:
    """`given`, else the system's where this user may write it, else the user's own."""
    if given:
        return Root(Path(given).expanduser().absolute())
    if Path(SYSTEM_ROOT).is_dir() and os.access(SYSTEM_ROOT, os.W_OK):
        return Root(Path(SYSTEM_ROOT))
    return Root(Path.home() / ".local" / "share" / "edgeq")


def own_archive() -> Optional[Path]:
    """The archive that runs now, its links followed; None when the agent runs from a checkout."""
    path = Path(sys.argv[0]).resolve()
    return path if path.suffix == ".pyz" and path.is_file() else None


def agent_name() -> str:
    """The first 16 hex of the running archive's sha256, as its file is named."""
    archive = own_archive()
    return archive.stem if archive else "checkout"
