"""What lives on a device."""

from dataclasses import dataclass
from typing import Optional

from .record import Record
from .shown import Shown


@dataclass(frozen=True)
class Release(Record):
    """One installed bundle of an app. `candidate` is the one that was last activated, None if it never was live."""

    digest: str
    installed_utc: str
    bytes: int
    candidate: Optional[str] = None
    activated_utc: Optional[str] = None


@dataclass(frozen=True, repr=False)
class App(Shown, Record):
    """A named model on the device: what is live, what was before, all that is kept (newest first).

    `path` is the absolute path that an application loads from; it is a link that always points to a complete release.
    `not_compared` says why the speed of what is live was not compared before it went live; None when it was.
    `kept`: where the files of others were moved to that lay in the release when it went live, such as an application's log;
    set in the answer to the command that activated it, None where there were none.
    """

    name: str
    path: str
    live: Optional[str]
    candidate: Optional[str]
    since_utc: Optional[str]
    previous: Optional[str]
    releases: tuple[Release, ...]
    not_compared: Optional[str] = None
    kept: Optional[str] = None

    def in_short(self) -> str:
        live = (self.live or "nothing")[:7]
        return f"{self.name} = {live}" + (f", {self.candidate}" if self.live and self.candidate else "")


@dataclass(frozen=True, repr=False)
class Rollback(App):
    """The app after a rollback; on a dry run, as it would be. `before`: what was live then."""

    before: Optional[str] = None
    dry_run: bool = False

    def in_short(self) -> str:
        return super().in_short() + (" (dry run: nothing was changed)" if self.dry_run else "")


@dataclass(frozen=True)
class ServiceState(Record):
    """The service of the agent on a device, which need not work in the root that was asked about.

    `scope`: "system" or "user"; `active` is systemd's word for the unit that waits for jobs; `root` None where its unit
    file does not tell.
    """

    scope: str
    active: str
    root: Optional[str] = None

    def works_in(self, root: str) -> bool:
        """Does a job that is submitted to `root` get done by it?"""
        return self.active == "active" and self.root == root

    def __str__(self) -> str:
        return f"{self.scope}, {self.active}" + (f", in {self.root}" if self.root else "")


@dataclass(frozen=True)
class DeviceStatus(Record):
    """The answer to `status`. `lock` says who holds the device, None where it is free; `service` None: none is installed."""

    apps: tuple[App, ...]
    agent: str
    root: str
    root_free: int
    root_used: int
    lock: Optional[str] = None
    service: Optional[ServiceState] = None
    last_results: tuple[str, ...] = ()
