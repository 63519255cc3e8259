"""uninstall(): a model, or everything, leaves the device."""

from typing import Any

from edgeq import catalog
from edgeq.deliver.lock import locked
from edgeq.errors import TargetRefused
from edgeq.nouns.answers import Removed
from edgeq.nouns.delivery import Removal
from edgeq.nouns.progress import Note
from edgeq.workflow.service import uninstall_service
from edgeq.workflow.session import Login, Session, session
from edgeq.workflow.tell import Tell, silence


def uninstall(
    name: str | None,
    *,
    target: str = "local",
    login: Login = Login(),  # noqa: B008  (frozen)
    root: str | None = None,
    dry_run: bool = False,
    tell: Tell = silence,
) -> Removal:
    """Remove the app `name`, or with None the agent, every app, runtime and result. Raises TargetRefused when the
    device has no such app. A service goes with the root that it works in; one that works in another stays.
    """
    with session(catalog.target(target), login, root=root, look_only=True, tell=tell) as device:
        if not device.installed:
            return Removal((), 0, dry_run)
        status = device.status()
        names = [a.name for a in status.apps]
        if name is not None and name not in names:
            raise TargetRefused(
                f"{device.label} has nothing under the name {name}",
                f"it has: {', '.join(names) or 'nothing'}",
            )
        if dry_run:
            return _removal(device, name, {"dry_run": True})
        service = status.service
    if name is None and service is not None and service.root == status.root:
        # Units that point to nothing would be worse than either; it asks for the device anew, and so do we.
        tell(uninstall_service(target=target, login=login, root=root, scope=service.scope, everything=True))
    elif name is None and service is not None:
        tell(Note(f"the service works in {service.root or 'another root'} and stays"))
    with session(catalog.target(target), login, root=root, look_only=True, tell=tell) as device:
        if not device.installed:
            return Removal((status.root,), status.root_used, dry_run=False)
        with locked(device.link, f"removing {name or 'everything'}") as token:
            return _removal(device, name, {"token": token})


def _removal(device: Session, name: str | None, how: dict[str, Any]) -> Removal:
    request = how | ({"app": name} if name else {"everything": True})
    said: Removed = device.link.call("remove", request, timeout_s=300)
    return Removal(said.removed, said.bytes, dry_run="dry_run" in how, kept=said.kept)
