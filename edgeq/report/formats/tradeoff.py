"""The Pareto table of --recipe auto and of the limits: accuracy, bytes, memory and latency of each candidate."""

from collections.abc import Callable, Iterable

from rich.console import Console

from edgeq.nouns.fidelity import Fidelity
from edgeq.nouns.report import RaceReport
from edgeq.nouns.tradeoff import Standing, Tradeoff
from edgeq.plain_text import counted
from edgeq.report.formats.closeness import closeness
from edgeq.report.formats.layout import say, table
from edgeq.report.formats.race_table import speed
from edgeq.report.formats.units import ABSENT, milliseconds, size

_FRONT, _REFUSED = "yes", "refused"


def show_tradeoff(
    tradeoff: Tradeoff,
    judged: Iterable[Fidelity],
    console: Console,
    race: RaceReport | None = None,
    *,
    in_full: bool = False,
) -> None:
    """A row per candidate on the front, the chosen one and the one that the race compares with; `in_full` of each, with the reasons of those that were refused."""
    by_id = {f.candidate: f for f in judged}
    always = {tradeoff.chosen, race.reference if race else None}
    shown = [row for row in tradeoff.rows if in_full or row.front or row.candidate in always]
    header, close = closeness(by_id) if by_id else _losses(tradeoff)
    header = ["candidate", *header, "on the wire", "on disk", "memory", *_timed(race), "front"]
    rows = [
        [row.candidate, *close(row.candidate), *_costs(row), *_speed(row, race), _place(row)] for row in shown
    ]
    chosen = next((i for i, row in enumerate(shown) if row.candidate == tradeoff.chosen), None)
    table(console, header, rows, marked=chosen, tight=True)
    hidden = [row for row in tradeoff.rows if row not in shown]
    if hidden:
        refused = sum(bool(row.refused) for row in hidden)
        no_better = len(hidden) - refused
        parts = [f"{refused} refused"] if refused else []
        parts += [f"{no_better} that are no better in anything"] if no_better else []
        say(
            console, "note", [f"{counted(len(hidden), 'candidate')} more: {', '.join(parts)} (-v shows them)"]
        )
    if in_full:
        for row in tradeoff.rows:
            if row.refused:
                say(console, "refused", [f"{row.candidate}: {row.refused}"])


def _losses(tradeoff: Tradeoff) -> tuple[list[str], Callable[[str], list[str]]]:
    """Of a race that was stored: how candidates were judged is in their bundle."""
    unit = "% noise" if tradeoff.by == "SQNR" else "points"
    losses = {row.candidate: [f"{row.loss:.3g} {unit}"] for row in tradeoff.rows}
    return [f"loss of {tradeoff.by}"], losses.__getitem__


def _timed(race: RaceReport | None) -> list[str]:
    return ["p50", "speed (CPU)" if race.busy_pairs else "speed"] if race else []


def _costs(row: Standing) -> list[str]:
    memory = row.memory_bytes if row.peak_bytes is None else row.peak_bytes
    return [size(row.wire_bytes), size(row.file_bytes), size(memory)]


def _speed(row: Standing, race: RaceReport | None) -> list[str]:
    """One that was not raced itself has the times of another with its kernels."""
    if race is None:
        return []
    entrant = next((each for each in race.rows if each.id == row.candidate), None)
    if entrant is None or entrant.latency is None:
        return [milliseconds(row.p50_ms), "same kernels" if row.p50_ms is not None else ABSENT]
    return [milliseconds(entrant.latency.p50_ms.value), speed(entrant, race)]


def _place(row: Standing) -> str:
    return _REFUSED if row.refused else _FRONT if row.front else ""
