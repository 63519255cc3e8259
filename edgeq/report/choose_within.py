"""Which candidate goes live where limits were given, and with --recipe auto which of those that are equally fast. Pure: decides from a
report and what the candidates lose and cost.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from edgeq.nouns.measurement import WORST_RATIO
from edgeq.nouns.report import CANNOT_TELL, FASTER, Choice, Pair, RaceReport
from edgeq.nouns.tradeoff import Standing, Tradeoff
from edgeq.report.busy import MARGIN
from edgeq.report.choose import choose
from edgeq.report.tradeoff import best_of, raced, require_within


def choose_within(
    report: RaceReport,
    order: Sequence[str],
    refusals: Mapping[str, str | None],
    float_ids: Collection[str],
    emulated: bool,
    quiet: bool,
    live: str | None,
    tradeoff: Tradeoff,
) -> tuple[Choice, Tradeoff]:
    """As `choose`, of those that keep the limits. With --recipe auto: the fastest; of those that cannot be told apart from it the one
    that loses least; of those that lose as much the one with the fewest bytes on the wire. An emulated device has no speed: its
    limit is not asked for, and it says so.

    `tradeoff` may have more than the release, whose candidates are in `order`. Raises GateFailed where nothing keeps the limits.
    """
    timed = not (emulated or report.emulated)
    found = raced(tradeoff, report, timed=timed)
    over = {row.candidate: row.refused for row in found.rows if row.refused}
    why_not = {**dict.fromkeys(order), **over, **{id: why for id, why in refusals.items() if why}}
    if all(why_not[id] for id in order):
        require_within(_refused(found, order, why_not))
    choice = choose(report, order, why_not, float_ids, emulated, quiet, live)
    if found.auto:
        choice = _best_of_equals(
            report, choice, [id for id in order if not why_not[id]], frozenset(float_ids), found
        )
    choice = replace(choice, why=choice.why + _limits_kept(choice.candidate, found, timed=timed))
    return choice, replace(found, chosen=choice.candidate, why=choice.why)


def _refused(tradeoff: Tradeoff, order: Sequence[str], why_not: Mapping[str, str | None]) -> Tradeoff:
    rows = (row for row in tradeoff.rows if row.candidate in order)
    return replace(
        tradeoff, rows=tuple(replace(row, refused=why_not[row.candidate] or row.refused) for row in rows)
    )


def _best_of_equals(
    report: RaceReport, choice: Choice, may: Sequence[str], floats: Collection[str], tradeoff: Tradeoff
) -> Choice:
    """Where the race compared speeds, the best of those that are as fast as the chosen one. Of a busy device CPU time says that, by its
    wider margin: there an equal has to be known to be faster than every float as well, as the chosen one is.
    """
    rows = {row.candidate: row for row in tradeoff.rows}
    first = rows.get(choice.candidate)
    if first is None:
        return choice
    as_fast = _as_fast_while_busy if report.busy_pairs else _as_fast
    others = [id for id in may if choice.compared and as_fast(report, id, first, floats)]
    equal = [first.candidate, *(id for id in others if id != first.candidate)]
    best = best_of([rows[id] for id in equal if id in rows])
    why = choice.why
    if best != first:
        better = "loses less" if best.loss < first.loss else "loses as little and is smaller"
        why = f"{best.candidate} cannot be told apart in speed from {first.candidate} and {better}"
    return replace(choice, candidate=best.candidate, why=why + _same_kernels(best, tradeoff))


def _as_fast(report: RaceReport, id: str, first: Standing, _: Collection[str]) -> bool:
    return not report.not_compared and _is_equal(report.pair(id, first.candidate), WORST_RATIO)


def _as_fast_while_busy(report: RaceReport, id: str, first: Standing, floats: Collection[str]) -> bool:
    ran = {row.id for row in report.rows if row.state == "ok"}
    pairs = [report.busy_pair(id, each) for each in ran & set(floats)]
    if first.candidate in floats or not all(pair and pair.verdict == FASTER for pair in pairs):
        return False
    return _is_equal(report.busy_pair(id, first.candidate), 1 + MARGIN)


def _is_equal(pair: Pair | None, worst: float) -> bool:
    """Not known to be slower, and at worst by so much."""
    if pair is None or pair.verdict != CANNOT_TELL or pair.ratio.high is None:
        return False
    return pair.ratio.high <= worst


def _same_kernels(best: Standing, tradeoff: Tradeoff) -> str:
    group = [row for row in tradeoff.rows if row.kernels == best.kernels and not row.refused]
    if len(group) == 1:
        return ""
    equal = [row for row in group if row.loss == best.loss]
    smallest = ", and the smallest of those" if len(equal) > 1 else ""
    return f"; of {len(group)} with the same kernels it loses least{smallest}"


def _limits_kept(candidate: str, tradeoff: Tradeoff, *, timed: bool) -> str:
    limits, row = tradeoff.limits, tradeoff.row(candidate)
    if row is None or not limits.any:
        return ""
    kept = []
    if limits.max_bytes is not None:
        kept.append(f"{row.wire_bytes:,} of {limits.max_bytes:,} bytes on the wire")
    if limits.max_latency_ms is not None and row.p50_ms is not None:
        kept.append(f"{row.p50_ms:.4g} of {limits.max_latency_ms:g} ms")
    if limits.max_latency_ms is not None and not timed:
        kept.append("--max-latency-ms is not applied: the device is emulated and has no speed")
    return f"; {', '.join(kept)}" if kept else ""
