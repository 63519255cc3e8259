"""The comparison as a table for a screen, as Markdown for a README, and as plain data."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.quantization.compare import Comparison, Row
from benchmarks.quantization.contestants import EDGEQ
from benchmarks.quantization.goals import Goal
from edgeq.nouns.report import Estimate

_HEAD = (
    "model",
    "bits",
    "runtime",
    "by",
    "top-1 (float)",
    "p float",
    "p edgeq",
    "agreement",
    "SQNR dB",
    "to quantize, CPU",
    "file",
    "integer",
    "time / float",
)


def screen(comparisons: Sequence[Comparison], goals: Sequence[Goal]) -> None:
    console = Console(width=190)
    table = Table(*_HEAD, title="edgeq and its peers on the same samples")
    for found in comparisons:
        for row in _ordered(found):
            style = "bold" if row.way.who == EDGEQ else "red" if row.judged is None else ""
            table.add_row(*cells(row, found), style=style)
        table.add_section()
    console.print(table)
    aims = Table("model", "goal", "", "seen")
    for goal in goals:
        aims.add_row(goal.model, goal.what, goal.state, goal.seen)
    console.print(aims)
    for line in notes(comparisons):
        console.print(f"- {line}", markup=False)


def markdown(comparisons: Sequence[Comparison], goals: Sequence[Goal]) -> str:
    rows = [cells(row, found) for found in comparisons for row in _ordered(found)]
    aims = [(g.model, g.what, g.state, g.seen) for g in goals]
    lines = [*_markdown(_HEAD, rows), "", *_markdown(("model", "goal", "", "seen"), aims), ""]
    return "\n".join([*lines, *(f"- {line}" for line in notes(comparisons))]) + "\n"


def plain(comparisons: Sequence[Comparison], goals: Sequence[Goal]) -> dict[str, Any]:
    return {
        "rows": [_plain_row(row) for found in comparisons for row in found.rows],
        "races": [race.to_dict() for found in comparisons for race in found.races],
        "finals": [final.report.to_dict() for found in comparisons for final in found.finals],
        "goals": [asdict(goal) for goal in goals],
        "notes": list(notes(comparisons)),
    }


def cells(row: Row, found: Comparison) -> tuple[str, ...]:
    name = f"{row.way.who} {row.way.setting}"
    first = (found.case.title, row.way.bits, row.way.runtime, name)
    judged = row.judged
    if judged is None:
        return (*first, f"failed: {_short(row.failures[-1])}", *("" for _ in _HEAD[5:]))
    made = judged.made
    return (
        *first,
        f"{judged.top1:.1f} ({judged.float_top1:.1f})",
        f"{judged.p_float:.2g}",
        "-" if row.p_edgeq is None else f"{row.p_edgeq:.2g}",
        f"{judged.agreement:.1f} %",
        "equal" if judged.sqnr_db is None else f"{judged.sqnr_db:.1f}",
        f"{made.cpu_seconds:.1f} s",
        f"{judged.size / 1e6:.2f} MB" if judged.size else "simulated",
        f"{sum(a.integer for a in judged.integer)}/{sum(a.total for a in judged.integer)}"
        if judged.integer
        else "-",
        ", ".join(f"{_interval(r)}{_on(t)}" for t, r in row.to_float.items()) or "-",
    )


def notes(comparisons: Sequence[Comparison]) -> Iterator[str]:
    """What a cell cannot hold: reasons of failures in full, what edgeq left in float, races that were disturbed."""
    for found in comparisons:
        for row in found.rows:
            who = f"{found.case.title}, {row.way.who} {row.way.setting} {row.way.bits}"
            for why in row.failures:
                rest = "" if row.judged is None else "; its figures are from the file that edgeq opened"
                yield f"{who} fails: {_short(why, 300)}{rest}"
            for note in row.judged.made.notes if row.judged else ():
                yield f"{who}, {row.way.runtime}: {note}"
        for race in (*found.races, *(final.report for final in found.finals)):
            if not race.quiet:
                yield (
                    f"{found.case.title}: the race on {_threads(race.threads)} ran on a machine that was NOT QUIET: "
                    f"{'; '.join(race.not_quiet)}"
                )
            for entrant in race.rows:
                if entrant.state != "ok":
                    yield f"{found.case.title}: {entrant.id} did not race: {entrant.error}"


def _ordered(found: Comparison) -> list[Row]:
    """By bits and runtime, best SQNR first, failures last."""
    return sorted(
        found.rows,
        key=lambda r: (
            -int(r.way.bits[1]),
            r.way.format,
            r.judged is None,
            -(r.judged.sqnr_db or 999.0) if r.judged else 0.0,
        ),
    )


def _plain_row(row: Row) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "model": row.case,
        "by": row.way.who,
        "setting": row.way.setting,
        "runtime": row.way.runtime,
        "bits": row.way.bits,
        "failures": list(row.failures),
    }
    if row.judged is None:
        return plain
    judged = row.judged
    return plain | {
        "top1": judged.top1,
        "float_top1": judged.float_top1,
        "samples": len(judged.right),
        "p_float": judged.p_float,
        "p_edgeq": row.p_edgeq,
        "agreement": judged.agreement,
        "sqnr_db": judged.sqnr_db,
        "seconds": judged.made.seconds,
        "cpu_seconds": judged.made.cpu_seconds,
        "seconds_kept": judged.made.kept,
        "bytes": judged.size,
        "integer": [asdict(a) for a in judged.integer],
        "time_to_float": {str(t): asdict(r) for t, r in row.to_float.items()},
        "time_to_edgeq": {str(t): asdict(r) for t, r in row.to_edgeq.items()},
        "notes": list(judged.made.notes),
    }


def _interval(ratio: Estimate) -> str:
    if ratio.low is None or ratio.high is None:
        return f"{ratio.value:.2f}"
    return f"{ratio.value:.2f} ({ratio.low:.2f} to {ratio.high:.2f})"


def _on(threads: int) -> str:
    return "" if threads == 1 else f" on {threads}"


def _threads(count: int) -> str:
    return "one thread" if count == 1 else f"{count} threads"


def _short(text: str, most: int = 60) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def _markdown(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    table = [head, tuple("---" for _ in head), *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in table]
