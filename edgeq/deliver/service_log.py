"""What the service wrote to the journal."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime

from edgeq.deliver.printable import printable
from edgeq.deliver.service_files import UNITS
from edgeq.deliver.service_look import Found
from edgeq.errors import RemoteFailed
from edgeq.nouns.record import Record
from edgeq.transport.base import Transport

# Whoever may read the system's journal; a user's units stand there too, under a field of their own.
_READERS = {"adm", "systemd-journal", "wheel"}


@dataclass(frozen=True)
class LogLine(Record):
    """`priority` is syslog's: 3 error, 4 warning, 6 information. `uid` is who wrote it."""

    utc: str
    unit: str
    uid: int | None
    priority: int
    message: str


@dataclass(frozen=True)
class ServiceLog(Record):
    device: str
    entries: tuple[LogLine, ...]

    def lines(self) -> tuple[str, ...]:
        if not self.entries:
            return (f"the journal of {self.device} has nothing of edgeq",)
        return tuple(f"{e.utc} {e.unit.removesuffix('.service')}: {e.message}" for e in self.entries)


def read_log(transport: Transport, found: Found, scope: str, count: int) -> ServiceLog:
    """The last `count` lines, oldest first. Raises RemoteFailed when the login may not read the journal."""
    sudo = ("sudo", "-n") if found.sudo == "yes" and not _READERS & set(found.groups) else ()
    field = "--unit" if scope == "system" else "--user-unit"
    words = (*sudo, "journalctl", "--quiet", "--no-pager", "--output=json", f"--lines={count}")
    done = transport.run((*words, *(f"{field}={unit}" for unit in UNITS)))
    if done.code != 0:
        said = printable(done.stderr.decode(errors="replace").strip()).splitlines()[-5:]
        raise RemoteFailed(
            f"{found.login} cannot read the journal of {transport.label}",
            f"add it to the group systemd-journal there (as root: `usermod -aG systemd-journal {found.login}`)",
            details=said,
        )
    raw = [
        printable(json.loads(line))
        for line in done.stdout.decode(errors="replace").splitlines()
        if line.strip()
    ]
    return ServiceLog(transport.label, tuple(_entry(r) for r in raw))


def _entry(raw: "dict[str, object]") -> LogLine:
    message = raw.get("MESSAGE")
    if isinstance(message, list):  # how journalctl writes what is no UTF-8
        message = bytes(message).decode(errors="replace")
    at = datetime.fromtimestamp(int(str(raw["__REALTIME_TIMESTAMP"])) / 1e6, UTC)
    unit = (
        raw.get("UNIT") or raw.get("USER_UNIT") or raw.get("_SYSTEMD_USER_UNIT") or raw.get("_SYSTEMD_UNIT")
    )
    uid = raw.get("_UID")
    return LogLine(
        utc=at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        unit=str(unit or raw.get("SYSLOG_IDENTIFIER") or ""),
        uid=int(str(uid)) if uid is not None else None,
        priority=int(str(raw.get("PRIORITY", 6))),
        message=printable(str(message or "")),
    )
