"""Which service a device has, and in which root it works. Changes nothing."""

from edgeq.deliver.service.look import Found, look
from edgeq.deliver.service.unit_files import SYSTEM_ROOT, USER_ROOT
from edgeq.deliver.session import Session
from edgeq.errors import DeviceUnfit, TargetRefused

_DEFAULT_ROOT = {"system": SYSTEM_ROOT, "user": USER_ROOT}


def find(device: Session, scope: str | None, root: str | None) -> Found:
    """The service of this scope, None: the installed one, seen in the root that it works in, whatever the default is. Raises
    DeviceUnfit when another root was asked for, TargetRefused as `scope_there`.
    """
    scope = scope or scope_there(device, root)
    found = look(device.link.transport, scope, root or _DEFAULT_ROOT[scope])
    if found.installed_root == found.root.rstrip("/"):
        return found
    if root is not None:
        raise DeviceUnfit(
            f"the service on {device.label} works in {found.installed_root}, not in {found.root}",
            "leave --root out, or first run `edgeq agent uninstall`: what is live stays where it is",
        )
    return look(device.link.transport, scope, found.installed_root)


def scope_there(device: Session, root: str | None) -> str:
    """The scope of the service that is installed, "system" where none is. Raises TargetRefused where both are, unless
    one alone works in `root`.
    """
    looks = (look(device.link.transport, scope, root or default) for scope, default in _DEFAULT_ROOT.items())
    there = [found for found in looks if found.installed]
    if root is not None:
        there = [found for found in there if found.installed_root == found.root.rstrip("/")] or there
    if len(there) > 1:
        raise TargetRefused(
            f"{device.label} has a system service and one of {there[0].login}'s own",
            "say which one: --scope system or --scope user",
        )
    return there[0].scope if there else "system"


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
