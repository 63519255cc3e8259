"""status(): what lives on a device."""

from dataclasses import dataclass
from typing import Any

from edgeq import catalog
from edgeq.nouns.device import Facts
from edgeq.nouns.release import DeviceStatus
from edgeq.workflow.session import Login, session
from edgeq.workflow.tell import Tell, silence


@dataclass(frozen=True)
class DeviceReport:
    """What a device is and what edgeq has there; `status` is None where edgeq has never been."""

    facts: Facts
    status: DeviceStatus | None

    def to_dict(self) -> dict[str, Any]:
        return {"facts": self.facts.to_dict(), "status": self.status.to_dict() if self.status else None}


def status(
    *,
    target: str = "local",
    login: Login = Login(),  # noqa: B008  (frozen)
    root: str | None = None,
    tell: Tell = silence,
) -> DeviceReport:
    """Asks the device; changes nothing there."""
    with session(catalog.target(target), login, root=root, look_only=True, tell=tell) as device:
        return DeviceReport(device.facts, device.status() if device.installed else None)
