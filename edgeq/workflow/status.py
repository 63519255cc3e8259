"""status(): what lives on a device."""

from edgeq import catalog
from edgeq.nouns.device import Facts
from edgeq.nouns.release import DeviceStatus
from edgeq.workflow.session import Login, session
from edgeq.workflow.tell import Tell, silence


def status(
    *,
    target: str = "local",
    login: Login = Login(),  # noqa: B008  (frozen)
    root: str | None = None,
    tell: Tell = silence,
) -> tuple[Facts, DeviceStatus | None]:
    """The device's facts and what edgeq has there; None where edgeq has never been. Changes nothing."""
    with session(catalog.target(target), login, root=root, look_only=True, tell=tell) as device:
        return device.facts, device.status() if device.installed else None
