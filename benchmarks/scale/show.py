"""The figures as a table for each network, as Markdown and as plain data."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.quantization.contestants import EDGEQ
from benchmarks.scale.rows import YARDSTICK, Row, gains, ratio, slopes
from edgeq.quantize.effort import EFFORTS

_HEAD = ("by", "CPU s", f"of {YARDSTICK}'s CPU s", "wall s", "peak MB", "SQNR dB")
_NOTE = "In brackets: with the opening of the model, which a peer's figure contains. 1 MB: 1,000,000 bytes."
_OF_THE_GATE = ("fails its gate", "the gate fails")  # a search for layers in float was part of the time
_Lines = list[tuple[str, ...]]


def screen(rows: Sequence[Row]) -> None:
    console = Console(width=140)
    for title, head, lines in _tables(rows):
        table = Table(*head, title=title)
        for line in lines:
            table.add_row(*line, style="bold" if line[0].startswith(EDGEQ) else "")
        console.print(table)
    for note in _notes(rows):
        console.print(f"- {note}", markup=False)


def markdown(rows: Sequence[Row]) -> str:
    parts: list[str] = []
    for title, head, lines in _tables(rows):
        parts += [f"**{title}**", ""]
        parts += ["| " + " | ".join(line) + " |" for line in (head, ("---",) * len(head), *lines)]
        parts.append("")
    return "\n".join([*parts, *(f"- {note}" for note in _notes(rows))]) + "\n"


def plain(rows: Sequence[Row]) -> dict[str, Any]:
    return {
        "rows": [_plain_row(row, rows) for row in rows],
        "slopes": [{**asdict(by), "kind": kind, "slope": s} for (by, kind), s in slopes(rows).items()],
        "gains": {
            effort: {"median_db": db, "networks": count}
            for effort, (db, count) in gains(rows, [*EFFORTS]).items()
        },
    }


def cells(row: Row, rows: Sequence[Row]) -> tuple[str, ...]:
    if row.took is None:
        return (row.by.name, f"failed: {row.why}".replace("|", "/"), "", "", "", "")
    took, found = row.took, ratio(row, rows)
    opened = took.opening_cpu_seconds is not None
    cpu = f"{took.cpu_seconds:.1f}" + (f" ({took.opened_cpu_seconds:.1f})" if opened else "")
    share = "-" if found is None else f"{found[0]:.2f}" + (f" ({found[1]:.2f})" if opened else "")
    peak = "-" if took.peak_bytes is None else f"{took.peak_bytes / 1e6:,.0f}"
    close = f"{row.sqnr_db:.1f}" if row.sqnr_db is not None else row.why or "equal"
    return (row.by.name, cpu, share, f"{took.seconds:.1f}", peak, close)


def _tables(rows: Sequence[Row]) -> Iterator[tuple[str, tuple[str, ...], _Lines]]:
    """Title, head and lines: of each network, then the slopes."""
    for network in dict.fromkeys(row.network for row in rows):
        own = [row for row in rows if row.network == network]
        yield f"{network}, {own[0].weights:,} weights", _HEAD, [cells(row, rows) for row in own]
    found = slopes(rows)
    if found:
        kinds = tuple(dict.fromkeys(kind for _, kind in found))
        lines = [
            (by.name, *(f"{found[by, kind]:.2f}" if (by, kind) in found else "-" for kind in kinds))
            for by in dict.fromkeys(by for by, _ in found)
        ]
        yield "slope: d log(CPU s) / d log(weights)", ("by", *kinds), lines


def _notes(rows: Sequence[Row]) -> Iterator[str]:
    """Of what edgeq left in float only what the gate asked for: the rest is long, and in the JSON."""
    disturbed = [row for row in rows if row.not_quiet]
    if disturbed:
        yield f"NOT QUIET during {len(disturbed)} of {len(rows)} rows, the first: {'; '.join(disturbed[0].not_quiet)}"
    else:
        yield "the machine was quiet"
    yield _NOTE
    for effort, (db, count) in gains(rows, [*EFFORTS]).items():
        yield f"--effort {effort} is {db:+.1f} dB closer to float than the effort before (median of {count} networks)"
    for row in rows:
        for note in row.notes:
            if any(words in note for words in _OF_THE_GATE):
                yield f"{row.network}, {row.by.name}: {note}"


def _plain_row(row: Row, rows: Sequence[Row]) -> dict[str, Any]:
    found = ratio(row, rows)
    return {
        "network": row.network,
        "weights": row.weights,
        "who": row.by.who,
        "setting": row.by.setting,
        **(asdict(row.took) if row.took else {}),
        "of_onnxruntime": found and found[0],
        "of_onnxruntime_with_opening": found and found[1],
        "sqnr_db": row.sqnr_db,
        "bytes": row.bytes,
        "why": row.why,
        "notes": list(row.notes),
        "not_quiet": list(row.not_quiet),
    }
