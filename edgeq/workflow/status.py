"""status(): what lives on a device."""

from dataclasses import dataclass
from typing import Any

from edgeq import catalog
from edgeq.nouns.device import Facts
from edgeq.nouns.release import DeviceStatus
from edgeq.nouns.report import LiveFigures
from edgeq.workflow.live_figures import live_figures
from edgeq.workflow.session import Login, session
from edgeq.workflow.tell import Tell, silence


@dataclass(frozen=True)
class DeviceReport:
    """What a device is and what edgeq has there; `status` is None where edgeq has never been. `figures` has one for each
    name that is live.
    """

    facts: Facts
    status: DeviceStatus | None
    figures: tuple[LiveFigures, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return {
            "facts": self.facts.to_dict(),
            "status": self.status.to_dict() if self.status else None,
            "figures": [f.to_dict() for f in self.figures],
        }


def status(
    *,
    target: str = "local",
    login: Login = Login(),  # noqa: B008  (frozen)
    root: str | None = None,
    store: str | None = None,
    tell: Tell = silence,
) -> DeviceReport:
    """Asks the device, and the store for what was measured there before; changes nothing in either."""
    with session(catalog.target(target), login, root=root, look_only=True, tell=tell) as device:
        if not device.installed:
            return DeviceReport(device.facts, None)
        found = device.status()
        return DeviceReport(device.facts, found, live_figures(device, found, store))
