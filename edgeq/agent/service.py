"""Whether the agent is also a service here, in systemd's words. Knows the unit's name, not what is in it."""

from pathlib import Path
from typing import Optional

UNIT = "edgeq-agent.path"
_SYSTEM = (
    Path("/etc/systemd/system"),
    Path("/usr/local/lib/systemd/system"),
    Path("/usr/lib/systemd/system"),
)


def service_state() -> Optional[str]:
    """Such as "system: active", or None where the unit is not installed."""
    if any((folder / UNIT).exists() for folder in _SYSTEM):
        return f"system: {_is_active('--system')}"
    if (Path.home() / ".config/systemd/user" / UNIT).exists():
        return f"user: {_is_active('--user')}"
    return None


def _is_active(scope: str) -> str:
    import subprocess  # here, for it is half of what `status` would import

    try:
        done = subprocess.run(
            ["systemctl", scope, "is-active", UNIT], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"unknown ({error})"
    return done.stdout.strip() or "unknown"
