"""What was measured before: the store's rows, and two measurements side by side."""

from collections.abc import Sequence

from rich.console import Console

from edgeq.nouns.report import NOT_COMPARED, Change, Comparison, StoredRow
from edgeq.nouns.results import Reported
from edgeq.plain_text import counted
from edgeq.report.formats.layout import say, table
from edgeq.report.formats.race_table import show_race
from edgeq.report.formats.tradeoff import show_tradeoff
from edgeq.report.formats.units import ABSENT, day_and_time, median, percent, short, times


def show_reported(reported: Reported, console: Console) -> None:
    if reported.fetched:
        say(console, "fetched", [f"{reported.fetched} from the device"])
    for comparison in reported.comparisons:
        show_comparison(comparison, console)
    for i, (report, measurement) in enumerate(zip(reported.races, reported.measurements, strict=True)):
        show_race(report, console, in_full=True, measurement=measurement)
        tradeoff = reported.tradeoffs[i] if reported.tradeoffs else None
        if tradeoff is not None:
            show_tradeoff(tradeoff, (), console, report, in_full=True)
            say(console, "chosen", [tradeoff.why])
    if not reported.comparisons and not reported.races:
        show_measurements(reported.rows, console)


def show_measurements(rows: Sequence[StoredRow], console: Console) -> None:
    if not rows:
        say(console, "report", ["no measurements yet: `edgeq deploy` and `edgeq bench` store them"])
        return
    say(
        console,
        "report",
        [f"{counted(len(rows), 'measurement')}, the newest first", "show one: edgeq report NUMBER"],
    )
    header = ["number", "started", "model", "release", "device", "board", "kind", "state", "job"]
    cells = [
        [
            str(row.number),
            day_and_time(row.started_utc),
            row.app,
            short(row.release),
            row.host,
            row.board,
            row.kind,
            _state(row),
            row.job,
        ]
        for row in rows
    ]
    table(console, header, cells, left=frozenset(range(len(header))))


def show_comparison(comparison: Comparison, console: Console) -> None:
    say(
        console,
        "compare",
        [
            f"{comparison.second} against {comparison.first}",
            f"different beyond {percent(comparison.margin)}",
        ],
    )
    for condition in comparison.unlike:
        say(console, "compare", [f"DIFFERENT {condition}"])
    table(
        console,
        ["candidate", "first p50", "second p50", "second vs first"],
        [_row(c) for c in comparison.changes],
    )
    if comparison.unmatched:
        say(console, "note", [f"only in one of them: {', '.join(comparison.unmatched)}"])


def _state(row: StoredRow) -> str:
    stamps = [row.state]
    if not row.quiet:
        stamps.append("NOT QUIET")
    if row.emulated:
        stamps.append("EMULATED")
    return ", ".join(stamps)


def _row(change: Change) -> list[str]:
    from edgeq.report.statistics import inverse

    medians = [ABSENT if m is None else median(m) for m in (change.first_ms, change.second_ms)]
    if change.ratio is None or change.verdict == NOT_COMPARED:
        return [change.entrant, *medians, NOT_COMPARED]
    return [change.entrant, *medians, f"{times(inverse(change.ratio))} {change.verdict}"]
