"""What lives on a device."""

from dataclasses import dataclass
from typing import Optional

from .record import Record


@dataclass(frozen=True)
class Release(Record):
    """One installed bundle of an app. `candidate` is the one that was last activated, None if it never was live."""

    digest: str
    installed_utc: str
    bytes: int
    candidate: Optional[str] = None
    activated_utc: Optional[str] = None


@dataclass(frozen=True)
class App(Record):
    """A named model on the device: what is live, what was before, all that is kept (newest first).

    `path` is the absolute path that an application loads from; it is a link that always points to a complete release.
    """

    name: str
    path: str
    live: Optional[str]
    candidate: Optional[str]
    since_utc: Optional[str]
    previous: Optional[str]
    releases: tuple[Release, ...]


@dataclass(frozen=True)
class DeviceStatus(Record):
    """The answer to `status`. `lock` says who holds the device, None if nobody."""

    apps: tuple[App, ...]
    agent: str
    root: str
    root_free: int
    root_used: int
    lock: Optional[str] = None
    service: Optional[str] = None
    last_results: tuple[str, ...] = ()
