"""The story of one model: everybody quantizes it, all is judged alike, what is a file is raced."""

import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from benchmarks.quantization.cases import Array, Case
from benchmarks.quantization.contestants import EDGEQ, Way
from benchmarks.quantization.judge import Judged, floats, judge, mcnemar
from benchmarks.quantization.latency import float_id, race
from benchmarks.quantization.work import Failed, Workshop, make
from edgeq.errors import EdgeqError
from edgeq.nouns.report import Estimate, RaceReport


@dataclass(frozen=True)
class Row:
    """One way on one model; `judged` is None where it failed on every source. Ratios by number of threads.

    `p_edgeq`: McNemar's p against edgeq's own result on the same runtime with the same bits.
    """

    case: str
    way: Way
    judged: Judged | None
    failures: tuple[str, ...] = ()
    p_edgeq: float | None = None
    to_float: dict[int, Estimate] = field(default_factory=dict)
    to_edgeq: dict[int, Estimate] = field(default_factory=dict)


@dataclass(frozen=True)
class Final:
    format: str
    report: RaceReport


@dataclass(frozen=True)
class Comparison:
    """In `races` everybody takes part, once per number of threads; in `finals`, one per runtime and number of threads,
    float, edgeq and the peers that were fastest and closest to float: what is fastest of many by one race is so by luck too.
    """

    case: Case
    rows: tuple[Row, ...]
    races: tuple[RaceReport, ...]
    finals: tuple[Final, ...]


@dataclass(frozen=True)
class Effort:
    """`seconds` bounds each race; `threads` to race with, one race each."""

    seconds: float
    threads: tuple[int, ...]


@dataclass(frozen=True)
class _Bench:
    """One model set up; `references` are float's outputs by format, `folder` is the model's alone."""

    case: Case
    references: Mapping[str, Array]
    folder: Path
    shop: Workshop


def compare(case: Case, ways: Sequence[Way], folder: Path, shop: Workshop, effort: Effort) -> Comparison:
    """`folder` is this model's alone and keeps what the peers made."""
    bench = _Bench(case, floats(case, folder / "scratch"), folder, shop)
    rows = []
    for way in ways:
        rows.append(_row(bench, way))
        print(f"{case.name}: {_said(rows[-1])}", file=sys.stderr, flush=True)
    rows = [_beside_edgeq(row, rows) for row in rows]
    runners = [r.judged for r in rows if r.judged and r.judged.made.file and r.way.bits == "W8A8"]
    races = tuple(race(case, runners, (*case.models,), threads, effort.seconds) for threads in effort.threads)
    finals = tuple(final for report in races for final in _finals(case, runners, report, effort.seconds))
    return Comparison(case, tuple(_timed(row, races, rows) for row in rows), races, finals)


def _finals(
    case: Case, runners: Sequence[Judged], all_of_them: RaceReport, seconds: float
) -> Iterator[Final]:
    for format in case.models:
        alike = [j for j in runners if j.way.format == format]
        own = [j for j in alike if j.way.who == EDGEQ]
        peers = [j for j in alike if j.way.who != EDGEQ]
        found = {j.way.id: all_of_them.pair(j.way.id, float_id(format)) for j in peers}
        times = {id: pair.ratio.value for id, pair in found.items() if pair is not None}
        timed = [j for j in peers if j.way.id in times]
        if not own or not timed:
            continue
        fastest = min(timed, key=lambda j: times[j.way.id])
        closest = max(timed, key=lambda j: j.sqnr_db or math.inf)
        field = [*own, fastest, *([closest] if closest is not fastest else [])]
        yield Final(format, race(case, field, (format,), all_of_them.threads, seconds))


def _row(bench: _Bench, way: Way) -> Row:
    """With the first source that it works on; what went wrong before is kept."""
    case = bench.case
    if way.format not in case.models:
        return Row(case.name, way, None, (case.absent[way.format],))
    failures: list[str] = []
    sources = case.sources(way.format) if way.who != EDGEQ else (case.file(way.format),)
    for k, source in enumerate(sources):
        found = _attempt(bench, way, source, bench.folder / f"{way.id}-{k}")
        if isinstance(found, Judged):
            return Row(case.name, way, found, tuple(failures))
        if found not in failures:  # a peer that is not installed fails on each source alike
            failures.append(found)
    return Row(case.name, way, None, tuple(failures))


def _attempt(bench: _Bench, way: Way, source: Path, folder: Path) -> Judged | str:
    """The figures, or why there are none."""
    made = make(bench.case, way, source, folder, bench.shop)
    if isinstance(made, Failed):
        return made.why
    try:
        return judge(bench.case, made, bench.references[way.format], bench.folder / "scratch")
    except EdgeqError as error:
        return " ".join((error.what, *error.details))


def _said(row: Row) -> str:
    way = f"{row.way.who} {row.way.setting} {row.way.format} {row.way.bits}"
    if row.judged is None:
        return f"{way}: failed: {row.failures[-1]}"
    took = f"{row.judged.made.cpu_seconds:.1f} s CPU{', kept' if row.judged.made.kept else ''}"
    return f"{way}: {row.judged.top1:.1f} %, {row.judged.agreement:.1f} %, {row.judged.sqnr_db or 0:.1f} dB, {took}"


def edgeq_of(way: Way, rows: Sequence[Row]) -> Row | None:
    """edgeq's own row on the same model and runtime with the same bits."""
    alike = (r for r in rows if r.way.who == EDGEQ and r.judged)
    return next((r for r in alike if (r.way.format, r.way.bits) == (way.format, way.bits)), None)


def _beside_edgeq(row: Row, rows: Sequence[Row]) -> Row:
    own = edgeq_of(row.way, rows)
    if own is None or own is row or own.judged is None or row.judged is None:
        return row
    return replace(row, p_edgeq=mcnemar(np.array(row.judged.right), np.array(own.judged.right)))


def _timed(row: Row, races: Sequence[RaceReport], rows: Sequence[Row]) -> Row:
    own = edgeq_of(row.way, rows)
    to_float = {r.threads: r.pair(row.way.id, float_id(row.way.format)) for r in races}
    to_edgeq = {r.threads: r.pair(row.way.id, own.way.id) for r in races if own}
    return replace(
        row,
        to_float={threads: pair.ratio for threads, pair in to_float.items() if pair},
        to_edgeq={threads: pair.ratio for threads, pair in to_edgeq.items() if pair},
    )
