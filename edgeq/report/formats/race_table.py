"""A race as a table: what deploy and bench end with, and what `edgeq report NUMBER` shows in full."""

from collections.abc import Sequence

from rich.console import Console

from edgeq.nouns.measurement import Measurement
from edgeq.nouns.report import (
    NOT_COMPARED,
    REFERENCE,
    Choice,
    DeviceCheck,
    EntrantReport,
    RaceReport,
)
from edgeq.nouns.results import Benched
from edgeq.plain_text import counted
from edgeq.report.formats.conditions import conditions
from edgeq.report.formats.layout import say, table
from edgeq.report.formats.plain_pressure import in_plain_words
from edgeq.report.formats.units import (
    ABSENT,
    joules,
    median,
    milliseconds,
    per_second,
    percent,
    seconds,
    size,
    times,
)


def show_race_title(report: RaceReport, console: Console) -> None:
    say(console, "race", [report.app, f"on {report.device}", f"job {report.job}"])


def show_race(
    report: RaceReport,
    console: Console,
    choice: Choice | None = None,
    checks: Sequence[DeviceCheck] = (),
    *,
    in_full: bool = False,
    measurement: Measurement | None = None,
) -> None:
    """`in_full` adds a second table with what a deploy leaves out: p95, p99, loads, throughput, CPU time, spread; and why
    energy was not measured. `measurement`, which the report is of, adds the conditions that it was made under.
    """
    if in_full:
        show_race_title(report, console)
    say(
        console,
        "measure",
        _conditions(report) if in_full else [in_plain_words(fact) for fact in _conditions(report)],
    )
    if measurement is not None:
        say(console, "measure", conditions(measurement))
    if report.emulated:
        say(console, "measure", [f"EMULATED ({report.emulated}): timings and memory are not representative"])
    alone = len(report.rows) == 1
    against = [] if alone else [_against(report)]
    header = ["candidate", "p50", *against, "p90", "peak memory", "energy per inference"]
    header += [_checked(checks)] if checks else []
    table(console, header, _rows(report, checks), marked=_place(report, choice))
    if in_full:
        rest = [[row.title + _stamp(report), *_rest(row)] for row in report.rows]
        table(console, ["candidate", *_IN_FULL], rest, marked=_place(report, choice))
    _show_reservations(report, console, choice, checks, in_full=in_full)


def show_benched(benched: Benched, console: Console) -> None:
    for report in benched.reports:
        show_race_title(report, console)
        show_race(report, console)


def show_benched_in_full(benched: Benched, console: Console) -> None:
    for report, measurement in zip(benched.reports, benched.measurements, strict=True):
        show_race(report, console, in_full=True, measurement=measurement)


_IN_FULL = [
    "p95",
    "p99",
    "first inference",
    "first load",
    "later loads",
    "inferences",
    "throughput",
    "CPU per inference",
    "outliers",
    "drift",
    "file",
]


def _rows(report: RaceReport, checks: Sequence[DeviceCheck]) -> list[list[str]]:
    checked = {check.candidate: check for check in checks}
    rows = []
    for row in report.rows:
        cells = _row(row, row.title + _stamp(report), report)
        if len(report.rows) == 1:
            del cells[2]  # nothing to compare its speed with
        cells += [_outputs_there(checked.get(row.id))] if checks else []
        rows.append(cells)
    return rows


def _stamp(report: RaceReport) -> str:
    """Stands in the column that every part of a split table repeats."""
    return " (emulated)" if report.emulated else ""


def _place(report: RaceReport, choice: Choice | None) -> int | None:
    """Of the chosen row."""
    ids = [row.id for row in report.rows]
    return ids.index(choice.candidate) if choice and choice.candidate in ids else None


def _conditions(report: RaceReport) -> list[str]:
    facts = ["quiet" if report.quiet else f"NOT QUIET: {'; '.join(report.not_quiet) or 'no reason given'}"]
    if report.noise_floor is not None:
        facts.append(f"noise floor {percent(report.noise_floor)}")
    facts += [counted(report.rounds, "round"), counted(report.threads, "thread"), seconds(report.seconds)]
    if report.attempts > 1 or report.waited_s:
        facts.append(
            f"{counted(report.attempts, 'attempt')}, waited {seconds(report.waited_s)} for a quiet device"
        )
    if report.stopped_by:
        facts.append(f"stopped by {report.stopped_by}")
    facts += _known(report)
    return facts


def _known(report: RaceReport) -> list[str]:
    """How precise the least precise of the figures below is: of the ratios, or of the only entrant's p50."""
    alone = len(report.rows) == 1
    figures = [row.latency.p50_ms if alone and row.latency else row.speedup for row in report.rows]
    halves = [max(f.high / f.value, f.value / f.low) - 1 for f in figures if f and f.low and f.high]
    if not halves or (report.not_compared and not alone):
        return []
    return [f"95 % interval of {'p50' if alone else 'the ratios'} ±{percent(max(halves))}"]


def _against(report: RaceReport) -> str:
    titles = {row.id: row.title for row in report.rows}
    by = " (CPU)" if report.busy_pairs else ""
    return f"vs {titles.get(report.reference, report.reference)}{by}"


def _row(row: EntrantReport, title: str, report: RaceReport) -> list[str]:
    if row.latency is None:
        return [title, row.state.replace("_", " "), ABSENT, ABSENT, size(row.peak_memory_bytes), ABSENT]
    return [
        title,
        median(row.latency.p50_ms),
        _speed(row, report),
        milliseconds(row.latency.p90_ms.value),
        size(row.peak_memory_bytes),
        joules(row.energy),
    ]


def _speed(row: EntrantReport, report: RaceReport) -> str:
    """With the verdict behind a factor that has an interval."""
    factor = speed(row, report)
    return f"{factor} {row.verdict}" if row.speedup is not None and factor == times(row.speedup) else factor


def speed(row: EntrantReport, report: RaceReport) -> str:
    """How many times as fast as the reference; by CPU time where the device was busy."""
    if row.verdict == REFERENCE:
        return "1.00x"
    busy = report.busy_pair(row.id, report.reference)
    if busy is not None:
        return f"{1 / busy.ratio.value:.2f}x"
    if row.verdict == NOT_COMPARED or row.speedup is None:
        return NOT_COMPARED
    return times(row.speedup)


def _rest(row: EntrantReport) -> list[str]:
    loads = [milliseconds(row.first_inference_ms), milliseconds(row.load_ms), milliseconds(row.load_warm_ms)]
    if row.latency is None:
        return [ABSENT, ABSENT, *loads, "0", ABSENT, ABSENT, ABSENT, ABSENT, size(row.file_bytes)]
    latency = row.latency
    return [
        milliseconds(latency.p95_ms.value),
        milliseconds(latency.p99_ms.value),
        *loads,
        f"{latency.samples:,}",
        per_second(latency.throughput_per_s),
        milliseconds(row.cpu_ms_per_inference),
        f"{latency.outliers:,}",
        ABSENT if latency.drift is None else f"{100 * latency.drift:+.1f} %",
        size(row.file_bytes),
    ]


def _checked(checks: Sequence[DeviceCheck]) -> str:
    """How many of the samples that the host judged by the device was given: accuracies on both differ for that alone."""
    fewest, most = min(c.samples for c in checks), max(c.samples for c in checks)
    return f"accuracy on the device ({fewest if fewest == most else f'{fewest} to {most}'} samples)"


def _outputs_there(check: DeviceCheck | None) -> str:
    """The most that is known: accuracy with labels, agreement with float without, else whether the outputs match. The
    host's accuracy is that on the same samples.
    """
    if check is None:
        return ABSENT
    if check.accuracy is not None:
        here = f"{check.host_accuracy:.1f}" if check.host_accuracy is not None else ""
        same = here == f"{check.accuracy:.1f}"
        here_too = " (same as on this machine)" if same else f" ({here} % on this machine)" if here else ""
        return f"{check.accuracy:.1f} %{here_too}"
    if check.agreement is not None:
        return f"{check.agreement:.1f} % top-1 agreement with float"
    return "same outputs as on this machine" if check.passed else "DIFFERS from this machine"


def _show_reservations(
    report: RaceReport,
    console: Console,
    choice: Choice | None,
    checks: Sequence[DeviceCheck],
    *,
    in_full: bool,
) -> None:
    for row in report.rows:
        if row.state != "ok":
            say(console, "note", [f"{row.title}: {row.state.replace('_', ' ')}: {row.error or 'no message'}"])
    for check in checks:
        if not check.passed:
            say(console, "note", [f"{check.candidate}: outputs differ from this machine's: {check.why}"])
    _show_energy(report, console, in_full=in_full)
    if choice:
        say(console, "note", [choice.why])
    elif report.not_compared:
        say(console, "note", [f"speed not compared: {report.not_compared}"])


def _show_energy(report: RaceReport, console: Console, *, in_full: bool) -> None:
    """Where the figures come from, in one line; `in_full` each sensor that could not be read, and why."""
    energies = {(row.energy.kind, row.energy.source) for row in report.rows if row.energy}
    for kind, source in sorted(energies):
        unread = "" if kind == "measured" else "; the device has no readable sensor"
        say(console, "note", [f"energy {kind}: {source}{unread}"])
    if not energies:
        say(
            console,
            "note",
            ["energy not available: the device has no readable sensor, the target no power model"],
        )
    if in_full and report.energy_absent and not any(kind == "measured" for kind, _ in energies):
        reasons = "; ".join(f"{sensor}: {why}" for sensor, why in report.energy_absent.items())
        say(console, "note", [f"energy was not measured: {reasons}"])
