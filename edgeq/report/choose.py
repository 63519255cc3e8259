"""Which candidate goes live. Decides from a report; touches no device.

Where a float candidate may go live, it does unless something is faster than every float one beyond the margin: such a
release is not slower than the model that it was made from. Without one the fastest goes live. An emulated device has no
speed: there the order of the plan decides. Where the device was not quiet CPU time decides by a wider margin (busy.py);
where that cannot tell either, the kind of candidate that was live stays, else float.
"""

from collections.abc import Collection, Mapping, Sequence

from edgeq.errors import GateFailed
from edgeq.nouns.measurement import WORST_RATIO
from edgeq.nouns.report import CANNOT_TELL, FASTER, SLOWER, Choice, Estimate, RaceReport
from edgeq.report.busy import MARGIN


def choose(
    report: RaceReport,
    order: Sequence[str],
    refusals: Mapping[str, str | None],
    float_ids: Collection[str],
    emulated: bool,
    quiet: bool,
    live: str | None = None,
) -> Choice:
    """`order` is the plan's, fastest first by expectation; `refusals[id]` is why the id may not go live, None or
    absent where it may. `live` is the candidate that is live now, in this release or in an earlier one.

    Raises GateFailed when each one is refused.
    """
    may = [id for id in order if refusals.get(id) is None]
    if not may:
        raise GateFailed(
            "no candidate may go live", details=[f"{id}: {refusals[id]}" for id in order if refusals.get(id)]
        )
    why_not = _why_not_compared(report, may, emulated, quiet)
    ran = [row.id for row in report.rows if row.id in may and row.state == "ok"]
    if why_not and len(may) == 1 and ran == may:
        only = _title(report, may[0])
        return Choice(
            may[0],
            f"{only} is the only candidate that may go live, so there was no speed to compare",
            compared=True,
        )
    if why_not and (emulated or report.emulated):
        taken, why = _first_planned_that_ran(report, may)
        return Choice(taken, f"speed not compared: {why_not}; {why}", compared=False)
    if why_not:
        return _while_busy(report, may, float_ids, live, why_not)
    timed = [id for id in may if _has_times(report, id)]
    floats = [id for id in timed if id in float_ids]
    if not floats:
        return _fastest_without_float(report, timed)
    return _against_float(report, timed, floats)


def _why_not_compared(report: RaceReport, may: Sequence[str], emulated: bool, quiet: bool) -> str | None:
    if emulated or report.emulated:
        return report.not_compared or "the device is emulated"
    if not quiet:
        return f"the device was not quiet ({'; '.join(report.not_quiet) or 'see its conditions'})"
    if report.not_compared:
        return report.not_compared
    if not any(_has_times(report, id) for id in may):
        return "none of the candidates that may go live finished its run"
    return None


def _first_planned_that_ran(report: RaceReport, may: Sequence[str]) -> tuple[str, str]:
    """The first planned candidate that ran, and why: an emulated device has no speed of its own to compare."""
    ran = _that_ran(report, may)
    taken = ran[0]
    states = {row.id: row.state.replace("_", " ") for row in report.rows}
    skipped = [id for id in may[: may.index(taken)] if id in states]
    if not skipped:
        return taken, f"{_title(report, taken)} goes live: the plan expects it to be the fastest"
    reasons = ", ".join(f"{_title(report, id)} did not run ({states[id]})" for id in skipped)
    return taken, f"{_title(report, taken)} goes live: {reasons}"


def _that_ran(report: RaceReport, may: Sequence[str]) -> list[str]:
    """Those of `may` whose run did not fail; all of them where each one failed."""
    failed = {row.id for row in report.rows if row.state != "ok"}
    return [id for id in may if id not in failed] or list(may)


def _while_busy(
    report: RaceReport, may: Sequence[str], float_ids: Collection[str], live: str | None, why_not: str
) -> Choice:
    """What CPU time shows to be faster than what would stay and than every float; else what was live or float stays."""
    ran = _that_ran(report, may)
    floats = [id for id in ran if id in float_ids]
    stays, reason = _what_stays(report, ran, floats, live)
    others = [id for id in ran if id != stays]
    faster = [
        id
        for id in others
        if all(_busy_verdict(report, id, other) == FASTER for other in {stays, *floats} - {id})
    ]
    if faster:
        best = min(faster, key=lambda id: _busy_ratio(report, id, stays))
        how = f"{_title(report, best)} is faster than {_title(report, stays)} in CPU time"
        return Choice(best, f"{why_not}; {how} ({_busy_speedup(report, best, stays)})", compared=True)
    if others and all(_busy_verdict(report, id, stays) == SLOWER for id in others):
        nearest = min(others, key=lambda id: _busy_ratio(report, id, stays))
        how = f"{_title(report, nearest)} is slower in CPU time ({_busy_speedup(report, nearest, stays)})"
        return Choice(stays, f"{why_not}; {how}: {_title(report, stays)} {reason}", compared=True)
    return Choice(
        stays,
        f"speed not compared: {why_not}{_cpu_time_text(report, others, stays, floats)}; {_title(report, stays)} {reason}",
        compared=False,
    )


def _what_stays(
    report: RaceReport, ran: Sequence[str], floats: Sequence[str], live: str | None
) -> tuple[str, str]:
    """The candidate that goes live where nothing is known to be faster, and the reason, for the user."""
    if live is not None and live in ran and not any(_busy_verdict(report, live, f) == SLOWER for f in floats):
        return live, "stays live"
    if floats:
        kept = report.reference if report.reference in floats else floats[0]
        return kept, "goes live: float is the baseline"
    return ran[0], "goes live: no float candidate may"


def _cpu_time_text(report: RaceReport, others: Sequence[str], stays: str, floats: Sequence[str]) -> str:
    """Of the one with the best ratio to `stays`, why it does not go live instead."""
    known = [id for id in others if report.busy_pair(id, stays)]
    if not known:
        return ""
    nearest = min(known, key=lambda id: _busy_ratio(report, id, stays))
    title, kept, speedup = (
        _title(report, nearest),
        _title(report, stays),
        _busy_speedup(report, nearest, stays),
    )
    judged = _busy_verdict(report, nearest, stays)
    if judged == FASTER:
        unbeaten = next(f for f in floats if f != nearest and _busy_verdict(report, nearest, f) != FASTER)
        against = _busy_speedup(report, nearest, unbeaten) or "too few rounds in common"
        return (
            f"; in CPU time {title} is faster than {kept} ({speedup}), but not clearly faster than "
            f"{_title(report, unbeaten)} ({against})"
        )
    if judged == SLOWER:
        return f"; {title} is slower in CPU time than {kept} ({speedup})"
    if _seems_faster(report, nearest, stays):
        return (
            f"; the lead of {title} over {kept} in CPU time ({speedup}) is not certain enough: on a busy device it has to "
            f"exceed {MARGIN:.0%} and the A/A difference, in the least disturbed inferences too"
        )
    return f", and CPU time does not tell {title} from {kept} ({speedup})"


def _seems_faster(report: RaceReport, id: str, against: str) -> bool:
    """Whether the whole interval says so, whatever the margin."""
    pair = report.busy_pair(id, against)
    return pair is not None and pair.ratio.high is not None and pair.ratio.high < 1


def _busy_verdict(report: RaceReport, id: str, against: str) -> str:
    pair = report.busy_pair(id, against)
    return pair.verdict if pair else CANNOT_TELL


def _busy_ratio(report: RaceReport, id: str, against: str) -> float:
    pair = report.busy_pair(id, against)
    return pair.ratio.value if pair else float("inf")


def _busy_speedup(report: RaceReport, id: str, against: str) -> str:
    pair = report.busy_pair(id, against)
    return _speedup(pair.ratio) if pair else ""


def _against_float(report: RaceReport, timed: Sequence[str], floats: Sequence[str]) -> Choice:
    """The fastest of those that are faster than every float; without any, the fastest float."""
    best_float = _fastest(report, floats)
    faster = [
        id for id in timed if id not in floats and all(_verdict(report, id, f) == FASTER for f in floats)
    ]
    if faster:
        best = _first_of_equals(report, faster)
        return Choice(best, _lead(report, best, best_float), compared=True)
    kept = _first_of_equals(report, floats)
    others = [id for id in timed if id not in floats]
    if not others:
        return Choice(
            kept, f"no quantized candidate may go live: {_title(report, kept)} goes live", compared=True
        )
    nearest = _fastest(report, others)
    return Choice(kept, f"{_why_float_stays(report, nearest, best_float)}: float is kept", compared=True)


def _fastest_without_float(report: RaceReport, timed: Sequence[str]) -> Choice:
    best = _first_of_equals(report, timed)
    if len(timed) == 1:
        return Choice(
            best, f"{_title(report, best)} is the only candidate that may go live and ran", compared=True
        )
    return Choice(
        best, f"{_title(report, best)} is the fastest of {len(timed)} that may go live", compared=True
    )


def _first_of_equals(report: RaceReport, ids: Sequence[str]) -> str:
    """The fastest, or the plan's first that cannot be told apart from it: so that a second deploy chooses the same.

    One whose interval reaches beyond WORST_RATIO of the fastest is not called its equal.
    """
    best = _fastest(report, ids)
    return next(id for id in ids if id == best or _is_equal(report, id, best))


def _is_equal(report: RaceReport, id: str, best: str) -> bool:
    pair = report.pair(id, best)
    if pair is None or pair.verdict != CANNOT_TELL or pair.ratio.high is None:
        return False
    return pair.ratio.high <= WORST_RATIO


def _fastest(report: RaceReport, ids: Sequence[str]) -> str:
    return min(ids, key=lambda id: _p50(report, id))


def _p50(report: RaceReport, id: str) -> float:
    latency = report.row(id).latency
    return float("inf") if latency is None else latency.p50_ms.value


def _has_times(report: RaceReport, id: str) -> bool:
    return any(row.id == id and row.state == "ok" and row.latency for row in report.rows)


def _verdict(report: RaceReport, id: str, against: str) -> str | None:
    pair = report.pair(id, against)
    return pair.verdict if pair else None


def _why_float_stays(report: RaceReport, nearest: str, best_float: str) -> str:
    title, pair = _title(report, nearest), report.pair(nearest, best_float)
    if pair is None:
        return f"{title} has too few rounds in common with float"
    if pair.verdict == SLOWER:
        return f"{title} is slower than float ({_speedup(pair.ratio)})"
    floor = "" if report.noise_floor is None else f"; noise floor {report.noise_floor:.1%}"
    return f"{title} cannot be told apart from float ({_speedup(pair.ratio)}{floor})"


def _lead(report: RaceReport, id: str, against: str) -> str:
    pair = report.pair(id, against)
    how = f" ({_speedup(pair.ratio)})" if pair else ""
    return f"{_title(report, id)} is faster than {_title(report, against)}{how}"


def _speedup(ratio: Estimate) -> str:
    text = f"{1 / ratio.value:.2f}x"
    if ratio.low is None or ratio.high is None:
        return text
    return f"{text}, {1 / ratio.high:.2f}x to {1 / ratio.low:.2f}x"


def _title(report: RaceReport, id: str) -> str:
    return next((row.title for row in report.rows if row.id == id), id)
