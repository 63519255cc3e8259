"""The agent as a systemd service: what was changed, what it does, what it logged. Lines are printed as they are, never folded."""

from collections.abc import Iterable
from functools import singledispatch

from rich.console import Console

from edgeq.nouns.service import (
    RemoveFile,
    RunCommand,
    SendFile,
    ServiceChange,
    ServiceLog,
    ServiceStatus,
    UnitState,
    WriteFile,
)
from edgeq.plain_text import counted, shell_command


def show_service_change(change: ServiceChange, console: Console) -> None:
    """Of what a dry run would do only how much it is."""
    if not (change.dry_run and change.steps):
        show_service_change_in_full(change, console)
        return
    files = sum(isinstance(step, WriteFile) for step in change.steps)
    commands = sum(isinstance(step, RunCommand) and bool(step.words) for step in change.steps)
    would = f"would {change.action} the {change.scope} service on {change.device}, root {change.root}"
    how_much = f"{counted(files, 'file')}, {counted(commands, 'command')} (-v prints them)"
    _print(console, [f"service   {would}: {how_much}", *_notes(change)])


def show_service_change_in_full(change: ServiceChange, console: Console) -> None:
    where = f"{change.scope} service on {change.device}, root {change.root}"
    if not change.steps:
        still = "installed already" if change.action == "install" else "not there"
        _print(console, [f"service   {where}: {still}, nothing to change", *_notes(change)])
        return
    steps = [line for step in change.steps for line in _step(step)] if change.dry_run else []
    done = {"install": "installed", "uninstall": "removed"}[change.action]
    end = "dry run: nothing was changed" if change.dry_run else done
    _print(console, [*steps, f"service   {where}: {end}", *_notes(change)])


def show_service_status(status: ServiceStatus, console: Console) -> None:
    whose = f"{status.scope} service on {status.device}, root {status.root}, as user {status.user}"
    lines = [f"service   {whose}, {counted(status.waiting, 'job')} waiting"]
    lines += [f"  {_unit(unit)}" for unit in status.units]
    if status.linger is False:
        lines.append(f"note      lingering is off: it runs only while {status.user} is logged in")
    _print(console, lines)


def show_service_log(log: ServiceLog, console: Console) -> None:
    lines = [f"{e.utc} {e.unit.removesuffix('.service')}: {e.message}" for e in log.entries]
    _print(console, lines or [f"the journal of {log.device} has nothing of edgeq"])


@singledispatch
def _step(step: object) -> list[str]:
    """What a step does, and with what."""
    raise TypeError(f"no words for {type(step).__name__}")


@_step.register
def _(step: WriteFile) -> list[str]:
    verb = "write" if step.before is None else "rewrite"
    return [f"{verb} {step.path}", *(f"    {line}" for line in step.text.splitlines())]


@_step.register
def _(step: RemoveFile) -> list[str]:
    return [f"remove {step.path}"]


@_step.register
def _(step: RunCommand) -> list[str]:
    return [f"run {shell_command(step.words)}", f"    # {step.why}"] if step.words else []


@_step.register
def _(step: SendFile) -> list[str]:
    return [f"send {step.path}"]


def _notes(change: ServiceChange) -> list[str]:
    return [f"note      {note}" for note in change.notes]


def _unit(unit: UnitState) -> str:
    facts = [f"{unit.unit:<23} {unit.active}"]
    if not unit.unit.endswith(".service"):
        facts[0] += f", {unit.enabled}"
    if unit.started_utc:
        facts.append(f"last {unit.started_utc}" + (f": {unit.last_result}" if unit.last_result else ""))
    if unit.next_utc:
        facts.append(f"next {unit.next_utc}")
    if unit.exposure is not None:
        facts.append(f"systemd-analyze security {unit.exposure:g} of 10 (lower is better)")
    return "   ".join(facts)


def _print(console: Console, lines: Iterable[str]) -> None:
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
