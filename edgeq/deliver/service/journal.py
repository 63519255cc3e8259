"""What the service wrote to the journal."""

import re
from datetime import UTC, datetime

from edgeq.deliver.device_answer import json_lines, last_lines
from edgeq.deliver.service.look import Found
from edgeq.deliver.service.unit_files import UNITS
from edgeq.errors import RemoteFailed
from edgeq.nouns.service import LogLine, ServiceLog
from edgeq.transport.base import Transport

_DIGITS = re.compile(r"[0-9]{1,17}")  # microseconds until the year 5138
# Whoever may read the system's journal; a user's units stand there too, under a field of their own.
_READERS = {"adm", "systemd-journal", "wheel"}

# What the agent says while a race runs is for the host's progress bar (edgeq/agent/race.py); most lines of a race are such.
_PROGRESS = '{"progress": '
_PROGRESS_SHARE, _MOST_READ = 20, 2000


def read_log(transport: Transport, found: Found, count: int) -> ServiceLog:
    """The last `count` lines, oldest first, without those of a progress bar. Raises RemoteFailed when the login may not read the journal."""
    sudo = ("sudo", "-n") if found.sudo == "yes" and not _READERS & set(found.groups) else ()
    most = max(count, min(_PROGRESS_SHARE * count, _MOST_READ))
    field = "--unit" if found.scope == "system" else "--user-unit"
    words = (*sudo, "journalctl", "--quiet", "--no-pager", "--output=json", f"--lines={most}")
    done = transport.run((*words, *(f"{field}={unit}" for unit in UNITS)))
    if done.code != 0:
        raise RemoteFailed(
            f"{found.login} cannot read the journal of {transport.label}",
            f"add it to the group systemd-journal there (as root: `usermod -aG systemd-journal {found.login}`)",
            details=last_lines(done.stderr, 5),
        )
    lines = json_lines(done.stdout, f"the journal of {transport.label}")
    entries = tuple(entry for entry in map(_entry, lines) if not entry.message.startswith(_PROGRESS))
    return ServiceLog(transport.label, entries[-count:])


def _entry(raw: dict[str, object]) -> LogLine:
    message = raw.get("MESSAGE")
    if isinstance(message, list):  # how journalctl writes what is no UTF-8
        message = bytes(b for b in message if isinstance(b, int) and 0 <= b < 256).decode(errors="replace")
    at = datetime.fromtimestamp(_number(raw.get("__REALTIME_TIMESTAMP"), 0) / 1e6, UTC)
    unit = (
        raw.get("UNIT") or raw.get("USER_UNIT") or raw.get("_SYSTEMD_USER_UNIT") or raw.get("_SYSTEMD_UNIT")
    )
    uid = raw.get("_UID")
    return LogLine(
        utc=at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        unit=str(unit or raw.get("SYSLOG_IDENTIFIER") or ""),
        uid=_number(uid, 0) if uid is not None else None,
        priority=_number(raw.get("PRIORITY"), 6),
        message=str(message or ""),
    )


def _number(raw: object, otherwise: int) -> int:
    """journalctl writes numbers as text; `otherwise` for what is none, or none that a calendar knows."""
    text = str(raw)
    return int(text) if _DIGITS.fullmatch(text) else otherwise
