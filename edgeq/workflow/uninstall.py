"""uninstall(): a model, or everything, leaves the device."""

from edgeq.deliver.lock import locked
from edgeq.deliver.service.find import find, require_systemd
from edgeq.deliver.service.install import remove
from edgeq.deliver.service.look import Found
from edgeq.deliver.session import Session, requested_root, session_for
from edgeq.nouns.answers import Removed
from edgeq.nouns.delivery import Removal
from edgeq.nouns.progress import Note
from edgeq.nouns.release import DeviceStatus, ServiceState
from edgeq.request.accepts import accepts
from edgeq.request.requests import UninstallRequest
from edgeq.request.tell import Tell

_PARTS = {"system": "its units, its user and its group", "user": "its units"}


@accepts(UninstallRequest)
def uninstall(request: UninstallRequest) -> Removal:
    """Remove the model `name` from a device, or with `everything` the agent, every model, runtime and result.

    A service goes with the root that it works in. Other roots, and a service that works in one, stay. Raises TargetRefused
    where the device has no such model, TypeError unless it is either a name or everything.
    """
    name, tell = request.name, request.tell
    if (name is None) == (not request.everything):
        raise TypeError("uninstall() needs the name of a model, or everything=True")
    with session_for(request, look_only=True) as device:
        if not device.installed:
            return Removal((), 0, request.dry_run)
        status = device.status()
        names = [app.name for app in status.apps]
        if name is not None and name not in names:
            raise device.no_app(name)
        service = _service_that_goes(status, tell) if name is None else None
        found = find(device, service.scope, requested_root(request)) if service else None
        planned = _removal(device, name, {"dry_run": True}) if request.dry_run or found else None
        if found and found.own_apps and found.own != status.root:
            tell(Note(_stays(found)))
        if request.dry_run and planned is not None:
            if found:
                tell(Note(f"the {found.scope} service would go too: {_PARTS[found.scope]}"))
            return planned
        if found:
            # Units that point to nothing would be worse than either. They take the agent along: what is left in this root is
            # looked at again. Without its folder edgeq would look for another one.
            require_systemd(device)
            tell(remove(device, found, tell, everything=True, dry_run=False))
            device = device.in_root(status.root, look_only=True)
        if not device.installed:
            return planned_and_done(planned, Removal((status.root,), status.root_used, dry_run=False))
        with locked(device.link, f"removing {name or 'everything'}") as token:
            done = planned_and_done(planned, _removal(device, name, {"token": token}))
    if names == [name]:
        stays = "runtimes and the agent stay for the next model; `edgeq uninstall --everything` removes them"
        tell(Note(stays))
    return done


def _service_that_goes(status: DeviceStatus, tell: Tell) -> ServiceState | None:
    """The service that works in the root that is removed; of one that works in another it is said that it stays."""
    service = status.service
    if service is None or service.root == status.root:
        return service
    root = service.root or "another root"
    tell(
        Note(
            f"the {service.scope} service works in {root} and stays; "
            f"`edgeq agent uninstall --scope {service.scope}` removes it"
        )
    )
    return None


def _stays(found: Found) -> str:
    """Of the root from which a service copied the login's models (docs/service.md): applications may still load from it."""
    names = ", ".join(found.own_apps)
    return (
        f"{names} in {found.own} stays; `edgeq uninstall --everything --root {found.own}` removes that root"
    )


def planned_and_done(planned: Removal | None, done: Removal) -> Removal:
    """`planned`: what was there before the service went, which took most of it along; None where there was no service."""
    if planned is None:
        return done
    removed = tuple(dict.fromkeys((*planned.removed, *done.removed)))
    return Removal(removed, max(planned.bytes, done.bytes), dry_run=False, kept=done.kept)


def _removal(device: Session, name: str | None, how: dict[str, object]) -> Removal:
    request = how | ({"app": name} if name else {"everything": True})
    said: Removed = device.link.call("remove", request, timeout_s=300)
    return Removal(said.removed, said.bytes, dry_run="dry_run" in how, kept=said.kept)
