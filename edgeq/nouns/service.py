"""The agent as a systemd service: what is there, what it logged, and the steps that change it."""

from dataclasses import dataclass
from typing import Optional, Union

from .record import Record


@dataclass(frozen=True)
class WriteFile(Record):
    """Make the file `path` hold `text`; `before` is what it held, None where it was not there. `parents` are folders
    that are made for such files and go with the last one. `prefix` goes before each command: sudo, or nothing.
    """

    path: str
    text: str
    before: Optional[str]
    prefix: tuple[str, ...]
    parents: tuple[str, ...] = ()
    step: str = "write"


@dataclass(frozen=True)
class RemoveFile(Record):
    """Remove a file that is no longer wanted, and the folders `parents` that are then empty."""

    path: str
    before: str
    prefix: tuple[str, ...]
    parents: tuple[str, ...] = ()
    step: str = "remove"


@dataclass(frozen=True)
class RunCommand(Record):
    """Run `words`; to take it back, run `undo`. Without `words` there is only the way back.

    `forgive`: a failure is ignored. `look`: a command whose output explains a failure.
    """

    why: str
    words: tuple[str, ...] = ()
    undo: tuple[str, ...] = ()
    look: tuple[str, ...] = ()
    forgive: bool = False
    step: str = "run"


@dataclass(frozen=True)
class SendFile(Record):
    """Bring a file of this host to the device."""

    source: str
    path: str
    sha256: str
    step: str = "send"


ServiceStep = Union[WriteFile, RemoveFile, RunCommand, SendFile]


@dataclass(frozen=True)
class ServiceChange(Record):
    """What was done to a device, or on a dry run would be; no steps: nothing had to change."""

    action: str
    device: str
    scope: str
    root: str
    dry_run: bool
    steps: tuple[ServiceStep, ...]
    notes: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        return bool(self.steps)


@dataclass(frozen=True)
class UnitState(Record):
    """In systemd's words. Times are UTC in ISO 8601, None where there was none yet; `last_result` is of the last run."""

    unit: str
    active: str
    enabled: str
    started_utc: Optional[str] = None
    ended_utc: Optional[str] = None
    last_result: Optional[str] = None
    next_utc: Optional[str] = None
    exposure: Optional[float] = None


@dataclass(frozen=True)
class ServiceStatus(Record):
    """`linger` is None for a system service, which does not need it. `waiting` counts the jobs in jobs/."""

    device: str
    scope: str
    root: str
    user: str
    units: tuple[UnitState, ...]
    waiting: int
    linger: Optional[bool] = None

    @property
    def ready(self) -> bool:
        """Whether a job that is submitted now gets done."""
        return any(u.unit == "edgeq-agent.path" and u.active == "active" for u in self.units)


@dataclass(frozen=True)
class LogLine(Record):
    """`priority` is syslog's: 3 error, 4 warning, 6 information. `uid` is who wrote it."""

    utc: str
    unit: str
    uid: Optional[int]
    priority: int
    message: str


@dataclass(frozen=True)
class ServiceLog(Record):
    device: str
    entries: tuple[LogLine, ...]
