"""A session with one device: log in, read its facts, compare them with the target, log out."""

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from edgeq import catalog
from edgeq.deliver.contact import Contact, contact, install_agent
from edgeq.deliver.preflight import require_target
from edgeq.errors import DeviceError, GateFailed, TargetRefused
from edgeq.nouns.device import Facts
from edgeq.nouns.progress import Note, Route
from edgeq.nouns.release import App, DeviceStatus
from edgeq.nouns.target import Cpu, Target
from edgeq.request.device_options import OnDevice
from edgeq.request.login import Login
from edgeq.request.paths import AnyPath, text
from edgeq.request.tell import Tell
from edgeq.transport.open import open_transport


@dataclass(frozen=True)
class Session(Contact):
    """A device that answers and fits `target`, which for `local` has been filled in from the facts.

    `seen` remembers what each name's app was when the device was first asked.
    """

    target: Target
    local: bool
    seen: dict[str, App | None] = field(default_factory=dict, repr=False, compare=False)

    @property
    def label(self) -> str:
        return self.link.transport.label

    def with_agent(self) -> "Session":
        """The same, with our agent on the device to stay."""
        return replace(self, link=install_agent(self.link), installed=True)

    def in_root(self, root: str | None, *, look_only: bool = False) -> "Session":
        """The same device, its facts read again, with edgeq's folder in `root`; None: where the device has it now."""
        python = self.link.python if self.local else None
        met = contact(self.link.transport, root=root, python=python, look_only=look_only)
        return replace(self, **vars(met))

    def status(self) -> DeviceStatus:
        status: DeviceStatus = self.link.call("status")
        return status

    def app(self, name: str) -> App | None:
        """What the device has under `name`; None on a device that edgeq has never been on."""
        apps = self.status().apps if self.installed else ()
        found = next((a for a in apps if a.name == name), None)
        self.seen.setdefault(name, found)
        return found

    def no_app(self, name: str) -> TargetRefused:
        """The error for a name that the device does not have, with those that it has."""
        there = ", ".join(app.name for app in self.status().apps) if self.installed else ""
        has = f"it has: {there}" if there else "it has nothing"
        return TargetRefused(f"{self.label} has nothing under the name {name}", has)


def session_for(request: OnDevice, *, look_only: bool) -> contextlib.AbstractContextManager[Session]:
    """The device that was asked for. Raises as `session`."""
    kind, login = catalog.target(request.kind), request.login or Login()
    return session(kind, login, root=request.root, look_only=look_only, tell=request.tell)


@contextlib.contextmanager
def session(
    target: Target, login: Login, *, root: AnyPath | None, look_only: bool, tell: Tell
) -> Iterator[Session]:
    """Raises DeviceError; TargetRefused when a remote target has no host."""
    if target.os == "android":
        raise no_agent(target, f"edgeq export MODEL --target {target.name} -o model.tflite")
    local = login.host is None
    if local and not target.detect:
        raise TargetRefused(
            f"target {target.name} is a separate device: which one?",
            f"add --host user@address, or host under [targets.{target.name}] in edgeq.toml; "
            "this machine is --target local",
        )
    folder_there = root_on(login, root, target)
    transport = open_transport(
        login.host,
        port=login.port,
        identity=None if login.identity is None else Path(login.identity),
        accept_new_host_key=login.accept_new_host_key,
        ask_password=login.ask_password,
        on_note=lambda text: tell(Note(text)),
    )
    if transport.route:
        tell(Route(transport.label, transport.route))
    try:
        python = sys.executable if local else None
        met = contact(transport, root=folder_there, python=python, look_only=look_only)
        for note in require_target(met.facts, target, transport.label):
            tell(Note(note))
        yield Session(**vars(met), target=with_detected_cpu(target, met.facts), local=local)
    finally:
        transport.close()


def no_agent(target: Target, command: str) -> TargetRefused:
    """Of a kind of device on which no agent runs; `command` makes the files for an application there."""
    return TargetRefused(
        f"target {target.name} is for conversion only: no agent of edgeq runs on Android",
        f"for an app of your own use: {command}",
    )


def requested_root(request: OnDevice) -> str | None:
    """edgeq's folder on the device that was asked for, where one was named. Raises TargetRefused as `root_on`."""
    return root_on(request.login or Login(), request.root, catalog.target(request.kind))


def root_on(login: Login, root: AnyPath | None, target: Target) -> str | None:
    """edgeq's folder on the device as it was asked for: absolute, or "~/" and what follows; None leaves it to the device.
    On this machine a relative one is one below the current folder. Raises TargetRefused for a relative one elsewhere.
    """
    asked = text(root) or target.root
    if asked is None or asked.startswith("/"):
        return asked
    if login.host is None:
        return str(Path(asked).expanduser().absolute())
    if asked.startswith("~/"):
        return asked
    raise TargetRefused(
        f"the root {asked!r} on {login.host} is neither absolute nor below the login's home",
        f"give the whole path, or --root '~/{asked}'",
    )


def with_detected_cpu(target: Target, facts: Facts) -> Target:
    """The target with the CPU that the device really has: its flags always, no more threads than it has cores, and
    everything else where it says `detect`.
    """
    threads = min(target.threads, max(1, facts.cores))
    if not target.detect:
        return replace(target, cpu=replace(target.cpu, isa=facts.isa or target.cpu.isa), threads=threads)
    frequency = facts.max_frequency_khz // 1000 if facts.max_frequency_khz else None
    cpu = Cpu(facts.arch, facts.cpu_model, facts.cores, facts.isa, frequency, target.cpu.qemu)
    memory = facts.memory_total // 1_000_000
    return replace(target, cpu=cpu, memory_mb=memory, threads=threads, detect=False)


@contextlib.contextmanager
def live_in_errors(device: Session, name: str, tell: Tell) -> Iterator[None]:
    """Adds what is live under `name` to every DeviceError and GateFailed that passes, asked of the device after the failure; after
    Ctrl-C it is told.
    """
    try:
        yield
    except (DeviceError, GateFailed) as error:
        error.live = _live(device, name, said=error.live)
        raise
    except KeyboardInterrupt:
        tell(Note(f"interrupted; live: {_live(device, name)}"))
        raise


def _live(device: Session, name: str, said: str | None = None) -> str:
    """`said`: what the device itself said of it with its failure."""
    before = device.seen.get(name)
    try:
        now = device.app(name)
    except DeviceError:
        if said is not None:
            return said
        last = f"{_called(name, before)} when {device.label} was last asked; " if name in device.seen else ""
        return f"{last}nothing half installed ever goes live"
    if now is None or before is None or now.live is None:
        return _called(name, now)
    if (now.live, now.candidate) != (before.live, before.candidate):
        return f"{_called(name, now)}; before: {_called(name, before)}"
    return f"{_called(name, now)}, unchanged since {now.since_utc}"


def _called(name: str, app: App | None) -> str:
    if app is None or app.live is None:
        return f"nothing under the name {name}"
    return f"{name} = {app.live[:7]} ({app.candidate})"
