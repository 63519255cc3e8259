"""What edgeq promises beside its peers, and whether this comparison shows it. Judges only; runs nothing.

A goal is met, not met, or not compared: where a side is missing or the machine was not quiet. What was seen is always said.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from benchmarks.goals import MET, NOT_COMPARED, NOT_MET, WORST_RATIO, interval
from benchmarks.quantization.compare import Comparison, Row
from benchmarks.quantization.contestants import EDGEQ
from benchmarks.quantization.judge import Judged

_ALPHA = 0.05
_EXACT_DB = 200.0  # stands for outputs without any error
_LITERT_GAIN_DB = 10.0
_TWO_BIT_GAIN = 15.0
_WITHIN_W4 = 2.0
_RESNET8, _RESNET8_WITHIN = 88.1, 0.3


@dataclass(frozen=True)
class Goal:
    model: str
    what: str
    state: str
    seen: str


def goals_of(found: Comparison) -> tuple[Goal, ...]:
    return tuple(
        Goal(found.case.title, f"{bits} {runtime}: {what}", state, seen)
        for bits, runtime in (
            ("W8A8", "onnxruntime"),
            ("W8A8", "litert"),
            ("W4A8", "onnxruntime"),
            ("W2A8", "onnxruntime"),
        )
        for what, state, seen in _goals(found, bits, runtime)
    )


_Said = tuple[str, str, str]


def _goals(found: Comparison, bits: str, runtime: str) -> Iterator[_Said]:
    rows = [r for r in found.rows if r.way.bits == bits and r.way.runtime == runtime]
    own = next((r for r in rows if r.way.who == EDGEQ), None)
    peers = [(r, r.judged) for r in rows if r.way.who != EDGEQ and r.judged]
    if own is None:
        return
    if own.judged is None:
        yield "edgeq's own result", NOT_COMPARED, own.failures[-1]
        return
    rivals = [j for _, j in peers]
    if bits == "W8A8":
        yield _as_right_as_float(own.judged)
    if found.case.name == "resnet8" and bits == "W8A8":
        yield _near_published(own.judged)
    if found.case.name == "mobilenet_v2" and bits == "W4A8":
        yield _near_float(own.judged)
    if not rivals:
        yield "peers", NOT_COMPARED, "none has a result"
        return
    if bits == "W8A8":
        yield _as_right_as_peers(own.judged, peers)
    yield from _ahead(own.judged, rivals, bits, runtime)
    if bits != "W8A8":
        yield _sooner(own.judged, rivals, "the fastest peer")
    elif nncf := [j for j in rivals if j.way.who == "nncf"]:
        yield _sooner(own.judged, nncf, "NNCF")
    if bits == "W8A8":
        yield from _latency(own, found)


def _as_right_as_float(own: Judged) -> _Said:
    worse = own.top1 < own.float_top1 and own.p_float < _ALPHA
    return _said(
        "top-1 not worse than float's (McNemar)",
        not worse,
        f"{own.top1:.1f} to {own.float_top1:.1f}, p {own.p_float:.2g}",
    )


def _as_right_as_peers(own: Judged, peers: Sequence[tuple[Row, Judged]]) -> _Said:
    row, best = max(peers, key=lambda pair: pair[1].top1)
    p = 1.0 if row.p_edgeq is None else row.p_edgeq
    worse = own.top1 < best.top1 and p < _ALPHA
    return _said(
        "top-1 not worse than the best peer's (McNemar)",
        not worse,
        f"{own.top1:.1f} to {best.top1:.1f} of {_who(best)}, p {p:.2g}",
    )


def _near_published(own: Judged) -> _Said:
    holds = own.top1 >= _RESNET8 - _RESNET8_WITHIN
    return _said(f"within {_RESNET8_WITHIN} points of {_RESNET8}", holds, f"{own.top1:.1f}")


def _near_float(own: Judged) -> _Said:
    holds = own.top1 >= own.float_top1 - _WITHIN_W4
    return _said(f"within {_WITHIN_W4:g} points of float", holds, f"{own.top1:.1f} to {own.float_top1:.1f}")


def _ahead(own: Judged, rivals: Sequence[Judged], bits: str, runtime: str) -> Iterator[_Said]:
    figures: tuple[tuple[str, Callable[[Judged], float], float], ...] = (
        ("agreement", lambda j: j.agreement, 0.0),
        ("SQNR", _decibels, _LITERT_GAIN_DB if runtime == "litert" else 0.0),
    )
    if bits == "W2A8":
        figures = (("top-1", lambda j: j.top1, _TWO_BIT_GAIN),)
    for name, figure, gain in figures:
        best = max(rivals, key=figure)
        what = f"{name} {gain:g} above every peer's" if gain else f"no peer has a higher {name}"
        seen = f"{figure(own):.1f} to {figure(best):.1f} of {_who(best)}"
        yield _said(what, figure(own) - figure(best) >= gain, seen)


def _sooner(own: Judged, rivals: Sequence[Judged], whose: str) -> _Said:
    best = min(rivals, key=lambda j: j.made.cpu_seconds)
    seen = f"{own.made.cpu_seconds:.1f} s to {best.made.cpu_seconds:.1f} s of {_who(best)}"
    return _said(
        f"quantized in less CPU time than by {whose}", own.made.cpu_seconds <= best.made.cpu_seconds, seen
    )


def _latency(own: Row, found: Comparison) -> Iterator[_Said]:
    """Against float, and against the peers of the final."""
    ways = {row.way.id: row.way for row in found.rows}
    for final in found.finals:
        report = final.report
        if final.format != own.way.format:
            continue
        for entrant in (row.id for row in report.rows if row.id != own.way.id):
            pair, way = report.pair(own.way.id, entrant), ways.get(entrant)
            if pair is None:
                continue
            whose = f"{way.who} {way.setting}" if way else "float"
            kept = (pair.ratio.high or pair.ratio.value) <= WORST_RATIO
            state = (MET if kept else NOT_MET) if report.quiet else NOT_COMPARED
            seen = interval(pair.ratio, 3) + ("" if report.quiet else ", not quiet")
            threads = f"{report.threads} thread{'s' * (report.threads > 1)}"
            yield f"time to that of {whose} <= {WORST_RATIO} ({threads})", state, seen


def _decibels(judged: Judged) -> float:
    return _EXACT_DB if judged.sqnr_db is None else judged.sqnr_db


def _who(judged: Judged) -> str:
    return f"{judged.way.who} {judged.way.setting}"


def _said(what: str, holds: bool, seen: str) -> _Said:
    return what, MET if holds else NOT_MET, seen
