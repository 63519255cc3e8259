"""What is on a device and what was sent there: `device`, `provision`, `push`, `live`, status, doctor, removal."""

from collections.abc import Sequence

from rich.console import Console

from edgeq.nouns.delivery import Delivery, Removal, SendPlan, WheelPlan
from edgeq.nouns.device import Facts
from edgeq.nouns.diagnosis import OK, Diagnosis
from edgeq.nouns.release import App, DeviceStatus, Rollback
from edgeq.nouns.report import CANNOT_TELL, FASTER, NOT_COMPARED, REFERENCE, SLOWER, LiveFigures
from edgeq.nouns.results import DeviceReport
from edgeq.plain_text import counted
from edgeq.report.formats.layout import say, table
from edgeq.report.formats.units import ABSENT, day_and_time, median, short, size, times

_VERDICTS = {FASTER: "faster than", SLOWER: "slower than", CANNOT_TELL: "cannot be told apart from"}


def show_facts(facts: Facts, console: Console) -> None:
    say(
        console,
        "device",
        [
            f"{facts.user}@{facts.hostname}",
            f"{facts.arch} machine" if facts.board.startswith("unknown") else facts.board,
            f"{facts.cpu_model}, {counted(facts.cores, 'core')}, {facts.arch}",
            f"{facts.os}, Python {facts.python}",
            f"{size(facts.memory_available)} memory and {size(facts.root_free)} disk free",
        ],
    )
    if facts.emulated:
        say(console, "device", [f"EMULATED ({facts.emulated}): timings are not representative"])


def show_wheels(wheels: WheelPlan, console: Console) -> None:
    if not wheels.sets:
        say(console, "provision", ["nothing to install: the device's own packages are used"])
        return
    runtimes = ", ".join(f"{s.runtime} {s.version}" for s in wheels.sets)
    own = sorted({name for s in wheels.sets for name in s.from_device})
    facts = [runtimes]
    if own:
        facts.append(f"{', '.join(own)} from the device itself")
    if wheels.missing:
        facts.append(f"{counted(len(wheels.missing), 'wheel')} to upload, {size(wheels.bytes_to_send)}")
    else:
        facts.append("already there")
    say(console, "provision", facts)


def show_send_plan(plan: SendPlan, console: Console) -> None:
    facts = [f"{counted(plan.files, 'file')} to send, {size(plan.bytes_to_send)}"]
    if plan.bytes_compressed is not None:
        facts.append(f"compressed about {size(plan.bytes_compressed)}")
    elif plan.why_not and plan.bytes_to_send:
        facts.append(f"not compressed: {plan.why_not}")
    if plan.link_bytes_s:
        facts.append(f"the link carries {size(plan.link_bytes_s)}/s")
    if plan.bytes_reused:
        facts.append(f"{size(plan.bytes_reused)} already on the device")
    say(console, "push", facts)


def show_delivery(delivery: Delivery, console: Console) -> None:
    facts = [f"{counted(delivery.files_sent, 'file')}, {size(delivery.bytes_sent)}"]
    if delivery.bytes_sent and delivery.send_s > 0:
        facts[0] += f" at {size(delivery.bytes_sent / delivery.send_s)}/s"
    if delivery.compressed:
        changes = f" ({delivery.differences} as what changed)" if delivery.differences else ""
        facts.append(f"{delivery.compressed} compressed{changes}, {size(delivery.bytes_on_disk)} on disk")
    if delivery.bytes_reused:
        facts.append(f"{size(delivery.bytes_reused)} already on the device")
    if delivery.attempts > max(1, delivery.files_sent):
        facts.append(f"{delivery.attempts} attempts")
    say(console, "push", facts)


def show_live(app: App, console: Console, previous: str | None = None) -> None:
    if app.live is None:
        say(console, "live", [f"{app.name}: nothing"])
        return
    was = f" (was {short(previous)})" if previous and previous != app.live else ""
    undo = [f"undo: edgeq rollback {app.name}"] if app.previous else []
    say(
        console,
        "live",
        [f"{app.name} = {short(app.live)}{was}", app.candidate or "", f"path {app.path}", *undo],
    )
    if app.kept:
        say(console, "kept", [f"{app.kept}: files in this release that edgeq did not write"])


def show_rollback(done: Rollback, console: Console) -> None:
    if not done.dry_run:
        show_live(done, console, done.before)
        return
    what = f"{done.name} = {short(done.live)} would go live"
    say(
        console,
        "dry run",
        [f"{what} instead of {short(done.before)}", done.candidate or "", "nothing was changed"],
    )


def show_load_lines(lines: Sequence[str], console: Console, facts: Facts) -> None:
    """Code to be copied: never folded."""
    if lines:
        say(console, "python", [f"run on {facts.user}@{facts.hostname}:"])
    for line in ["", *(f"        {line}" for line in lines)] if lines else []:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def show_device_report(report: DeviceReport, console: Console) -> None:
    if report.code is not None:  # alone, as a file takes it
        console.print(report.code, markup=False, highlight=False, emoji=False, soft_wrap=True, end="")
        return
    show_status(report.facts, console, report.status, report.figures)


def show_status(
    facts: Facts, console: Console, status: DeviceStatus | None, figures: Sequence[LiveFigures] = ()
) -> None:
    show_facts(facts, console)
    if status is None:
        say(console, "live", ["edgeq is not installed on this device"])
        return
    if status.apps:
        say(console, "live", [counted(len(status.apps), "model")])
        rows = [
            [a.name, short(a.live), a.candidate or "-", day_and_time(a.since_utc), short(a.previous), a.path]
            for a in status.apps
        ]
        table(
            console,
            ["name", "live", "candidate", "since", "before", "path"],
            rows,
            left=frozenset(range(6)),
        )
    else:
        say(console, "live", ["nothing"])
    if figures:
        show_figures(status, console, figures)
    say(console, "agent", [f"version {status.agent}", f"service: {status.service or 'not installed'}"])
    say(
        console,
        "disk",
        [f"{size(status.root_used)} in {status.root}", f"{size(status.root_free)} free there"],
    )
    if status.lock:
        say(console, "busy", [status.lock])


def show_figures(status: DeviceStatus, console: Console, figures: Sequence[LiveFigures]) -> None:
    """How fast what is live is, how much memory it takes, when that was measured, and compared with what."""
    say(console, "measured", [f"last: {status.last_results[-1]}"] if status.last_results else ["nothing yet"])
    header = ["name", "p50", "peak memory", "measured", "speed"]
    rows = [
        [
            f"{f.app} (emulated)" if f.emulated else f.app,
            ABSENT if f.p50_ms is None else median(f.p50_ms),
            size(f.peak_memory_bytes),
            day_and_time(f.measured_utc) + ("" if f.quiet is not False else ", NOT QUIET"),
            _against(f),
        ]
        for f in figures
    ]
    table(console, header, rows, left=frozenset({0, 3, 4}))
    for app in status.apps:
        if app.not_compared:
            why = f"{app.name}: speed was not compared when it went live ({app.not_compared})"
            say(console, "note", [f"{why}; `edgeq deploy --measure-again` repeats the measurement"])


def _against(f: LiveFigures) -> str:
    if f.absent or f.against is None:
        return f.absent or "its race is no longer stored"
    when = "" if f.raced == f.job else f", in the race of {day_and_time(f.raced_utc)}"
    if f.verdict == REFERENCE:
        return f"1.00x, the reference{when}"
    if f.verdict == NOT_COMPARED or f.speedup is None:
        return f"{NOT_COMPARED} with {f.against}{when}"
    return f"{times(f.speedup)} {_VERDICTS.get(f.verdict or '', '')} {f.against}{when}"


def show_diagnosis(diagnosis: Diagnosis, console: Console) -> None:
    for finding in diagnosis.findings:
        level = "" if finding.level == OK else f"{finding.level}: "
        remedy = [f"-> {finding.remedy}"] if finding.remedy else []
        say(console, "doctor", [f"{finding.where}: {level}{finding.what}", *remedy])


def show_removal(removal: Removal, console: Console) -> None:
    if not removal.removed:
        say(console, "removed", ["nothing: edgeq has no files there"])
        return
    word = "would go" if removal.dry_run else "removed"
    say(console, word, [f"{counted(len(removal.removed), 'path')}, {size(removal.bytes)}"])
    for path in removal.removed:
        say(console, word, [path])
    for path in removal.kept:
        say(console, "kept", [f"{path}: not edgeq's"])
