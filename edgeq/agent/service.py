"""Whether the agent is also a service here, and in which root. Knows the unit's name and its line that names the jobs."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Optional

from edgeq.nouns.release import ServiceState

UNIT = "edgeq-agent.path"
_SYSTEM = (
    Path("/etc/systemd/system"),
    Path("/usr/local/lib/systemd/system"),
    Path("/usr/lib/systemd/system"),
)
_WATCHED = re.compile(r"^PathExistsGlob=(/.*)/jobs/\*\.json$", re.MULTILINE)


def service_state(
    root: str,
    system: "tuple[Path, ...]" = _SYSTEM,
    user: "Optional[Path]" = None,
    is_active: "Optional[Callable[[str], str]]" = None,
) -> Optional[ServiceState]:
    """The service that works in `root`, else the system's, else the user's; None where there is neither. The rest is for
    tests: where units lie, and who is asked whether one is active.
    """
    folders = [("system", folder) for folder in system]
    folders += [("user", user or Path.home() / ".config/systemd/user")]
    found = [(scope, _root_of(folder / UNIT)) for scope, folder in folders if (folder / UNIT).exists()]
    if not found:
        return None
    scope, where = next((f for f in found if f[1] == root), found[0])
    return ServiceState(scope, (is_active or _is_active)(scope), where)


def _root_of(unit: Path) -> Optional[str]:
    try:
        watched = _WATCHED.search(unit.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return None
    return watched[1] if watched else None


def _is_active(scope: str) -> str:
    import subprocess  # here, for it is half of what `status` would import

    words = ["systemctl", f"--{scope}", "is-active", UNIT]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"unknown ({error})"
    return done.stdout.strip() or "unknown"
