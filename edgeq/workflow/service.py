"""The agent as a systemd service: installed, looked at, removed."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace

from edgeq import catalog
from edgeq.conversion.cache import folder
from edgeq.deliver.agent_archive import build_agent
from edgeq.deliver.lock import locked
from edgeq.deliver.service.journal import read_log
from edgeq.deliver.service.look import Found, look
from edgeq.deliver.service.plan import copies_own_root, install_steps, installed_root, uninstall_steps
from edgeq.deliver.service.schedule import Schedule, schedule
from edgeq.deliver.service.state import read_state
from edgeq.deliver.service.steps import apply
from edgeq.deliver.service.unit_files import LINGER_MARK, SYSTEM_ROOT, USER_ROOT, Wish, unit_folder
from edgeq.deliver.session import Session, root_on, session_for
from edgeq.errors import DeviceUnfit, TargetRefused
from edgeq.nouns.progress import Progress
from edgeq.nouns.service import ServiceChange, ServiceLog, ServiceStatus, ServiceStep
from edgeq.request.login import Login
from edgeq.request.requests import (
    SCOPES,
    InstallServiceRequest,
    OnDevice,
    ServiceLogRequest,
    ServiceStatusRequest,
    UninstallServiceRequest,
)
from edgeq.request.takes import takes
from edgeq.request.tell import Tell

_DEFAULT_ROOT = {"system": SYSTEM_ROOT, "user": USER_ROOT}


@takes(InstallServiceRequest)
def install_service(asked: InstallServiceRequest) -> ServiceChange:
    """Install, or bring up to date, the units that do jobs as they arrive and measure what is live `every` so often.

    Whatever fails midway, what was done is taken back. Raises DeviceError, TargetRefused.
    """
    when, scope, dry_run = schedule(asked.every), asked.scope, asked.dry_run
    with _device(asked, scope, rehearsed=dry_run) as (device, found, _):
        wish = _wish(device, found, scope, when)
        if device.link.lent is not None and device.link.root == wish.root:
            found = replace(found, current="")  # the archive that the link leads to is gone or damaged
        steps = install_steps(found, wish, build_agent(folder() / "agent"), device.label)
        copies = copies_own_root(found, wish)
        if steps and not dry_run:
            with locked(device.link, "copying to the service") if copies and device.installed else _free():
                apply(steps, device.link.transport, _teller(asked.tell, len(steps)))
        after = look(device.link.transport, scope, wish.root) if steps and not dry_run else found
        notes = tuple(_notes(after, wish, copied=copies, local=device.local))
        if device.installed and device.link.root != wish.root and not (after.apps or copies):
            notes += tuple(
                _nothing_to_measure([a.name for a in device.status().apps], device.link.root, wish)
            )
        if device.facts.systemd is None:
            notes += (f"{_without_systemd(device)}: without --dry-run this is refused",)
        return ServiceChange("install", device.label, scope, wish.root, dry_run, steps, notes)


@takes(ServiceStatusRequest)
def service_status(asked: ServiceStatusRequest) -> ServiceStatus:
    """The units, their last runs and the next one.

    Raises DeviceUnfit where no service is installed, TargetRefused where both are and no `scope` says which.
    """
    with _device(asked, asked.scope) as (device, found, where):
        _require_installed(device, found)
        return read_state(device.link.transport, found, where)


@takes(ServiceLogRequest)
def service_log(asked: ServiceLogRequest) -> ServiceLog:
    """The last `lines` that the service wrote. Raises DeviceUnfit where none is installed."""
    with _device(asked, asked.scope) as (device, found, where):
        _require_installed(device, found)
        return read_log(device.link.transport, found, where, asked.lines)


@takes(UninstallServiceRequest)
def uninstall_service(asked: UninstallServiceRequest) -> ServiceChange:
    """Remove the units, the service's user and its folders. Models that live there stay, unless `everything`. `scope` None:
    whichever service there is. Raises TargetRefused for both.
    """
    everything, dry_run = asked.everything, asked.dry_run
    with _device(asked, asked.scope) as (device, found, where):
        python = device.link.python
        steps = uninstall_steps(found, where, everything=everything, label=device.label, python=python)
        if steps and not dry_run:
            apply(steps, device.link.transport, _teller(asked.tell, len(steps)))
        stays = found.apps and not everything
        notes = (f"{', '.join(found.apps)} stays live in {found.root}",) if stays and steps else ()
        return ServiceChange("uninstall", device.label, where, found.root, dry_run, steps, notes)


@contextlib.contextmanager
def _device(
    asked: OnDevice, scope: str | None, *, rehearsed: bool = False
) -> Iterator[tuple[Session, Found, str]]:
    """The device, what is there of the service, and which one it is. Raises DeviceUnfit without systemd, unless it is
    only `rehearsed`: files and commands can be read anywhere.
    """
    with session_for(asked, look_only=True) as device:
        if device.facts.systemd is None and not rehearsed:
            raise DeviceUnfit(
                _without_systemd(device),
                "`edgeq deploy` (without --service) and `edgeq bench` work over the login. Nothing was changed.",
            )
        root = root_on(asked.login or Login(), asked.root, catalog.target(asked.kind))
        where = scope or _scope_there(device, root)
        yield device, _look(device, where, root), where


def _without_systemd(device: Session) -> str:
    return f"{device.label} has no systemd running, so the agent is no service there and cannot be one"


def _scope_there(device: Session, root: str | None) -> str:
    """The scope of the service that is installed, "system" where none is. Raises TargetRefused where both are, unless
    one alone works in `root`.
    """
    looks = {scope: look(device.link.transport, scope, root or _DEFAULT_ROOT[scope]) for scope in SCOPES}
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


def _look(device: Session, scope: str, root: str | None) -> Found:
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


def _require_installed(device: Session, found: Found) -> None:
    if not found.installed:
        raise DeviceUnfit(
            f"the agent is not a service on {device.label}", "`edgeq agent install` makes it one"
        )


def _wish(device: Session, found: Found, scope: str, when: Schedule) -> Wish:
    mark = f"{unit_folder(scope, found.home)}/{LINGER_MARK}"
    return Wish(
        scope=scope,
        root=found.root.rstrip("/"),
        python=device.facts.python_path,
        login=found.login,
        group=found.group,
        home=found.home,
        schedule=when,
        firmware=found.firmware,
        mark_linger=mark in found.files or not found.linger,
    )


def _notes(found: Found, wish: Wish, *, copied: bool, local: bool) -> Iterator[str]:
    if copied:
        yield (
            f"{', '.join(found.own_apps)} was copied to {wish.root}, where edgeq now looks first; {found.own} is as it "
            f"was, and applications that load from there go on. When none does any more: "
            f"edgeq uninstall --everything --root {found.own}"
        )
    if wish.scope == "user" and not found.linger:
        yield (
            f"lingering is off: the service runs only while {wish.login} is logged in "
            f"(as root there: loginctl enable-linger {wish.login})"
        )
    if wish.scope == "system" and local and wish.login != "root" and "edgeq" not in found.groups:
        yield f"{wish.login} is now in the group edgeq, which counts from the next login on"


def _nothing_to_measure(live: list[str], root: str, wish: Wish) -> Iterator[str]:
    """Where models are `live` in another root than that of the service."""
    if live:
        yield (
            f"this service has nothing to measure yet: {', '.join(live)} {'is' if len(live) == 1 else 'are'} in {root}, and "
            f"it works in {wish.root}; deploy again with --root {wish.root}, or install it with --root {root}"
        )


def _teller(tell: Tell, total: int) -> Callable[[ServiceStep], None]:
    done = 0

    def told(step: ServiceStep) -> None:
        nonlocal done
        tell(Progress("service", done, total, "steps"))
        done += 1

    return told


def _free() -> contextlib.AbstractContextManager[None]:
    return contextlib.nullcontext()
