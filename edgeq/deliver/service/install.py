"""Makes the agent a service on a device, or removes it: what is to be done is decided first, then done, or only shown."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from edgeq.conversion.cache import folder
from edgeq.deliver.agent_archive import build_agent
from edgeq.deliver.lock import locked
from edgeq.deliver.service.find import without_systemd
from edgeq.deliver.service.look import Found, look
from edgeq.deliver.service.plan import copies_own_root, install_steps, uninstall_steps
from edgeq.deliver.service.schedule import Schedule
from edgeq.deliver.service.steps import apply
from edgeq.deliver.service.unit_files import LINGER_MARK, ServiceSpec
from edgeq.deliver.session import Session
from edgeq.nouns.progress import Progress
from edgeq.nouns.service import ServiceChange, ServiceStep
from edgeq.request.tell import Tell


@dataclass(frozen=True)
class ServicePlan:
    """The service as planned, what of it is there, and the steps in between: none where all of it is there.
    `copies`: what the login deployed into its own root comes along.
    """

    spec: ServiceSpec
    found: Found
    steps: tuple[ServiceStep, ...]
    copies: bool

    @property
    def root(self) -> str:
        return self.spec.root


def plan_install(device: Session, found: Found, when: Schedule) -> ServicePlan:
    """Raises DeviceUnfit where the device, its login or its folders do not allow it, NoSpace for what is copied."""
    spec = _spec(device, found, when)
    if device.link.lent is not None and device.link.root == spec.root:
        found = replace(found, current="")  # the archive that the link leads to is gone or damaged
    steps = install_steps(found, spec, build_agent(folder() / "agent"), device.label)
    return ServicePlan(spec, found, steps, copies_own_root(found, spec))


def install(plan: ServicePlan, device: Session, tell: Tell, *, dry_run: bool) -> ServiceChange:
    """Do what was planned, or on a dry run only say it. Whatever fails midway, what was done is taken back.

    Raises DeviceError.
    """
    spec, after = plan.spec, plan.found
    if plan.steps and not dry_run:
        copies = plan.copies and device.installed
        with locked(device.link, "copying to the service") if copies else contextlib.nullcontext():
            _do(plan.steps, device, tell)
        after = look(device.link.transport, spec.scope, spec.root)
    notes = tuple(_notes(plan, after, device))
    return ServiceChange("install", device.label, spec.scope, spec.root, dry_run, plan.steps, notes)


def remove(device: Session, found: Found, tell: Tell, *, everything: bool, dry_run: bool) -> ServiceChange:
    """The units, the service's user and its folders go, or on a dry run are only named; models that live there stay, unless
    `everything`. Raises DeviceError.
    """
    python = device.link.python
    steps = uninstall_steps(found, everything=everything, label=device.label, python=python)
    if steps and not dry_run:
        _do(steps, device, tell)
    stays = found.apps and not everything
    notes = (f"{', '.join(found.apps)} stays live in {found.root}",) if stays and steps else ()
    return ServiceChange("uninstall", device.label, found.scope, found.root, dry_run, steps, notes)


def _do(steps: Sequence[ServiceStep], device: Session, tell: Tell) -> None:
    """All of them, or none: raises the failure that stopped it."""
    done = 0

    def told(step: ServiceStep) -> None:
        nonlocal done
        tell(Progress("service", done, len(steps), "steps"))
        done += 1

    apply(steps, device.link.transport, told)


def _spec(device: Session, found: Found, when: Schedule) -> ServiceSpec:
    mark = f"{found.unit_folder}/{LINGER_MARK}"
    return ServiceSpec(
        scope=found.scope,
        root=found.root.rstrip("/"),
        python=device.facts.python_path,
        login=found.login,
        group=found.group,
        home=found.home,
        schedule=when,
        firmware=found.firmware,
        mark_linger=mark in found.files or not found.linger,
    )


def _notes(plan: ServicePlan, after: Found, device: Session) -> Iterator[str]:
    """`after`: what is there once the steps were done."""
    spec = plan.spec
    if plan.copies:
        yield (
            f"{', '.join(after.own_apps)} was copied to {spec.root}, where edgeq now looks first; {after.own} is as it "
            f"was, and applications that load from there go on. When none does any more: "
            f"edgeq uninstall --everything --root {after.own}"
        )
    if spec.scope == "user" and not after.linger:
        yield (
            f"lingering is off: the service runs only while {spec.login} is logged in "
            f"(as root there: loginctl enable-linger {spec.login})"
        )
    if spec.scope == "system" and device.local and spec.login != "root" and "edgeq" not in after.groups:
        yield f"{spec.login} is now in the group edgeq, which counts from the next login on"
    if device.installed and device.link.root != spec.root and not (after.apps or plan.copies):
        yield from nothing_to_measure([app.name for app in device.status().apps], device.link.root, spec)
    if device.facts.systemd is None:
        yield f"{without_systemd(device)}: without --dry-run this is refused"


def nothing_to_measure(live: list[str], root: str, spec: ServiceSpec) -> Iterator[str]:
    """Where models are `live` in another root than that of the service."""
    if live:
        yield (
            f"this service has nothing to measure yet: {', '.join(live)} {'is' if len(live) == 1 else 'are'} in {root}, and "
            f"it works in {spec.root}; deploy again with --root {spec.root}, or install it with --root {root}"
        )
