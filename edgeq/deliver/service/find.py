"""Which service a device has, and in which root it works. Changes nothing."""

from edgeq.deliver.service.look import Found, look
from edgeq.deliver.service.plan import installed_root
from edgeq.deliver.service.unit_files import SYSTEM_ROOT, USER_ROOT
from edgeq.deliver.session import Session
from edgeq.errors import DeviceUnfit, TargetRefused

_DEFAULT_ROOT = {"system": SYSTEM_ROOT, "user": USER_ROOT}


def scope_there(device: Session, root: str | None) -> str:
    """The scope of the service that is installed, "system" where none is. Raises TargetRefused where both are, unless
    one alone works in `root`.
    """
    looks = {
        scope: look(device.link.transport, scope, root or default) for scope, default in _DEFAULT_ROOT.items()
    }
    there = [scope for scope, found in looks.items() if found.installed]
    if root is not None:
        here = [s for s in there if installed_root(looks[s], s) == looks[s].root.rstrip("/")]
        there = here or there
    if len(there) > 1:
        raise TargetRefused(
            f"{device.label} has a system service and one of {looks['user'].login}'s own",
            "say which one: --scope system or --scope user",
        )
    return there[0] if there else "system"


def find(device: Session, scope: str, root: str | None) -> Found:
    """What is there, seen in the root of the service that is installed, whatever the default is. Raises DeviceUnfit
    when another root was asked for.
    """
    found = look(device.link.transport, scope, root or _DEFAULT_ROOT[scope])
    installed = installed_root(found, scope)
    if installed == found.root.rstrip("/"):
        return found
    if root is not None:
        raise DeviceUnfit(
            f"the service on {device.label} works in {installed}, not in {found.root}",
            "leave --root out, or first run `edgeq agent uninstall`: what is live stays where it is",
        )
    return look(device.link.transport, scope, installed)


def require_installed(device: Session, found: Found) -> None:
    if not found.installed:
        raise DeviceUnfit(
            f"the agent is not a service on {device.label}", "`edgeq agent install` makes it one"
        )


def require_systemd(device: Session) -> None:
    if device.facts.systemd is None:
        raise DeviceUnfit(
            without_systemd(device),
            "`edgeq deploy` (without --service) and `edgeq bench` work over the login. Nothing was changed.",
        )


def without_systemd(device: Session) -> str:
    return f"{device.label} has no systemd running, so the agent is no service there and cannot be one"
