"""What the service is doing: its units, its last runs, its next one, how exposed it is. Asks systemd, changes nothing."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from edgeq.deliver.device_answer import key_values
from edgeq.deliver.service.look import Found
from edgeq.deliver.service.plan import installed_root
from edgeq.deliver.service.unit_files import SERVICES, UNITS
from edgeq.nouns.record import Record
from edgeq.transport.base import Transport

_ASKED = (
    "Id,LoadState,ActiveState,SubState,UnitFileState,Result,ExecMainStatus,ExecMainStartTimestamp,"
    "ExecMainExitTimestamp,NextElapseUSecRealtime,LastTriggerUSec"
)


@dataclass(frozen=True)
class UnitState(Record):
    """In systemd's words. Times are UTC in ISO 8601, None where there was none yet; `last_result` is of the last run."""

    unit: str
    active: str
    enabled: str
    started_utc: str | None = None
    ended_utc: str | None = None
    last_result: str | None = None
    next_utc: str | None = None
    exposure: float | None = None


@dataclass(frozen=True)
class ServiceStatus(Record):
    """`linger` is None for a system service, which does not need it. `waiting` counts the jobs in jobs/."""

    device: str
    scope: str
    root: str
    user: str
    units: tuple[UnitState, ...]
    waiting: int
    linger: bool | None = None

    @property
    def ready(self) -> bool:
        """Does a job that is submitted now get done?"""
        return any(u.unit == "edgeq-agent.path" and u.active == "active" for u in self.units)

    def lines(self) -> tuple[str, ...]:
        jobs = f"{self.waiting} job{'' if self.waiting == 1 else 's'} waiting"
        head = (
            f"service   {self.scope} service on {self.device}, root {self.root}, as user {self.user}, {jobs}"
        )
        lines = [head, *(f"  {_words_on(u)}" for u in self.units)]
        if self.linger is False:
            lines.append(f"note      lingering is off: it runs only while {self.user} is logged in")
        return tuple(lines)


def read_state(transport: Transport, found: Found, scope: str) -> ServiceStatus:
    prefix = ("env", "TZ=UTC", "LC_ALL=C", f"XDG_RUNTIME_DIR=/run/user/{found.uid}")
    asked = transport.run((*prefix, "systemctl", f"--{scope}", "show", f"--property={_ASKED}", *UNITS))
    blocks = asked.stdout.decode(errors="replace").strip().split("\n\n")
    exposures = _exposures(transport, prefix, scope)
    return ServiceStatus(
        device=transport.label,
        scope=scope,
        root=installed_root(found, scope),
        user="edgeq" if scope == "system" else found.login,
        units=tuple(_unit(block, exposures) for block in blocks if block),
        waiting=found.waiting,
        linger=found.linger if scope == "user" else None,
    )


def _exposures(transport: Transport, prefix: tuple[str, ...], scope: str) -> dict[str, float]:
    """0 (best) to 10 as `systemd-analyze security` rates it; empty where that tool is not there."""
    scores = {}
    for service in SERVICES:
        done = transport.run((*prefix, "systemd-analyze", f"--{scope}", "--no-pager", "security", service))
        found = re.search(
            r"exposure level for \S+: ([0-9]{1,2}(?:\.[0-9]{1,3})?)", done.stdout.decode(errors="replace")
        )
        if found:
            scores[service] = float(found[1])
    return scores


def _unit(block: str, exposures: dict[str, float]) -> UnitState:
    said = key_values(block.encode())
    name = said.get("Id", "unknown")
    started = _utc(said.get("ExecMainStartTimestamp") or said.get("LastTriggerUSec"))
    result = said.get("Result") if started and name in SERVICES else None
    if result == "exit-code":
        result = f"exit code {said.get('ExecMainStatus')}"
    return UnitState(
        unit=name,
        active=said.get("ActiveState", "unknown"),
        enabled=said.get("UnitFileState") or "not installed",
        started_utc=started,
        ended_utc=_utc(said.get("ExecMainExitTimestamp")),
        last_result=result,
        next_utc=_utc(said.get("NextElapseUSecRealtime")),
        exposure=exposures.get(name),
    )


def _utc(words: str | None) -> str | None:
    """systemd's "Sat 2026-11-21 00:00:41 UTC"."""
    try:
        found = datetime.strptime(words or "", "%a %Y-%m-%d %H:%M:%S UTC")
    except ValueError:
        return None
    return found.replace(tzinfo=UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _words_on(unit: UnitState) -> str:
    words = [f"{unit.unit:<23} {unit.active}"]
    if unit.unit not in SERVICES:
        words[0] += f", {unit.enabled}"
    if unit.started_utc:
        words.append(f"last {unit.started_utc}" + (f": {unit.last_result}" if unit.last_result else ""))
    if unit.next_utc:
        words.append(f"next {unit.next_utc}")
    if unit.exposure is not None:
        words.append(f"systemd-analyze security {unit.exposure:g} of 10 (lower is better)")
    return "   ".join(words)
