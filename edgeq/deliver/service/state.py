"""What the service is doing: its units, its last runs, its next one, how exposed it is. Asks systemd, changes nothing."""

import re
from datetime import UTC, datetime

from edgeq.deliver.device_answer import key_values
from edgeq.deliver.service.look import Found
from edgeq.deliver.service.unit_files import SERVICES, UNITS
from edgeq.nouns.service import ServiceStatus, UnitState
from edgeq.transport.base import Transport

_ASKED = (
    "Id,LoadState,ActiveState,SubState,UnitFileState,Result,ExecMainStatus,ExecMainStartTimestamp,"
    "ExecMainExitTimestamp,NextElapseUSecRealtime,LastTriggerUSec"
)


def read_state(transport: Transport, found: Found) -> ServiceStatus:
    scope = found.scope
    prefix = ("env", "TZ=UTC", "LC_ALL=C", f"XDG_RUNTIME_DIR=/run/user/{found.uid}")
    asked = transport.run((*prefix, "systemctl", f"--{scope}", "show", f"--property={_ASKED}", *UNITS))
    blocks = asked.stdout.decode(errors="replace").strip().split("\n\n")
    exposures = _exposures(transport, prefix, scope)
    return ServiceStatus(
        device=transport.label,
        scope=scope,
        root=found.installed_root,
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
