"""status(): what lives on a device."""

from dataclasses import dataclass
from typing import Any

from edgeq.nouns.device import Facts
from edgeq.nouns.release import DeviceStatus
from edgeq.nouns.report import LiveFigures
from edgeq.workflow.live_figures import live_figures
from edgeq.workflow.paths import text
from edgeq.workflow.requests import StatusRequest
from edgeq.workflow.session import session_for
from edgeq.workflow.takes import takes


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


@takes(StatusRequest)
def status(asked: StatusRequest) -> DeviceReport:
    """Asks the device, and the store for what was measured there before; changes nothing in either."""
    with session_for(asked, look_only=True) as device:
        if not device.installed:
            return DeviceReport(device.facts, None)
        found = device.status()
        return DeviceReport(device.facts, found, live_figures(device, found, text(asked.store)))
