"""Uploads a runtime to the device: the wheels that are missing, each verified and unpacked by the agent."""

from collections.abc import Callable

from edgeq.deliver.agent_link import AgentLink
from edgeq.deliver.link_rate import remember
from edgeq.nouns.delivery import WheelPlan, WheelSet
from edgeq.nouns.progress import Progress


def plan_wheels(link: AgentLink, sets: tuple[WheelSet, ...], *, ask: bool = True) -> WheelPlan:
    """Asks the device which wheels it has already; a device without our agent (`ask` False) has none."""
    wheels = {w.folder: w for s in sets for w in s.wheels}
    if not wheels or not ask:
        return WheelPlan(sets, tuple(wheels.values()))
    have = set(link.call("inventory", {"sha256": [], "wheels": sorted(wheels)}).wheels)
    return WheelPlan(sets, tuple(w for folder, w in wheels.items() if folder not in have))


def upload_wheels(link: AgentLink, token: str, wheels: WheelPlan, tell: Callable[[Progress], None]) -> None:
    """Sends and unpacks what is missing."""
    sent = 0
    total = wheels.bytes_to_send
    for wheel in wheels.missing:

        def arrived(count: int) -> None:
            nonlocal sent
            sent += count
            tell(Progress("provision", sent, total, "B"))

        sent_now = link.transport.put(
            wheel.file, f"{link.root}/incoming/{wheel.sha256}", sha256=wheel.sha256, progress=arrived
        )
        remember(link.transport.label, sent_now)
        # Unpacking hashes and compiles a few thousand files: minutes on a slow card.
        link.call("unpack", {"token": token, "sha256": wheel.sha256, "name": wheel.folder}, timeout_s=1800)
