"""The trade-off between what candidates lose and what they cost: who is on the front, who keeps the limits, who stands for those that
run the same kernels. Decides from figures; reads no file and touches no device.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from edgeq.errors import GateFailed
from edgeq.nouns.fidelity import Fidelity, OutputError
from edgeq.nouns.report import RaceReport
from edgeq.nouns.tradeoff import CostLimits, Standing, Tradeoff

AGREEMENT, SQNR = "agreement", "SQNR"


def measure_of(judged: Iterable[Fidelity], *, scored: bool) -> str:
    """What losses are of: the score where there is one and it is `scored` on enough samples, else agreement, else SQNR."""
    judged = tuple(judged)
    found = next((f.accuracy.metric for f in judged if f.accuracy), None)
    if found is not None and scored:
        return found
    return AGREEMENT if any(f.agreement for f in judged) else SQNR


def loss_of(fidelity: Fidelity, by: str) -> float:
    """Against float, 0 where it is as good or better: points of the score or of agreement; of SQNR the noise's share in percent, of the
    output that has most.
    """
    if all(o.same for o in fidelity.outputs):
        return 0.0
    if by == AGREEMENT and fidelity.agreement is not None:
        return max(0.0, 100.0 - fidelity.agreement.top1)
    if by not in (AGREEMENT, SQNR) and fidelity.accuracy is not None:
        return max(0.0, -fidelity.accuracy.difference)
    return max(map(_noise, fidelity.outputs), default=0.0)


def _noise(output: OutputError) -> float:
    if output.sqnr_db is not None:
        return float(100.0 * 10.0 ** (-output.sqnr_db / 10.0))
    return 0.0 if output.equal is None else 100.0 - output.equal


def too_large(row: Standing, limits: CostLimits) -> str:
    """Empty where it is within --max-bytes."""
    if limits.max_bytes is None or row.wire_bytes <= limits.max_bytes:
        return ""
    return f"{row.wire_bytes:,} bytes on the wire, --max-bytes {limits.max_bytes:,}"


def too_slow(row: Standing, limits: CostLimits) -> str:
    """Empty where it is within --max-latency-ms, or its latency is not known."""
    if limits.max_latency_ms is None or row.p50_ms is None or row.p50_ms <= limits.max_latency_ms:
        return ""
    return f"{row.p50_ms:.4g} ms at the median, --max-latency-ms {limits.max_latency_ms:g}"


def within(tradeoff: Tradeoff, limits: CostLimits) -> Tradeoff:
    """With these limits in place of its own. What the gate refused stays refused."""
    rows = (
        replace(row, refused=row.refused or too_large(row, limits) or too_slow(row, limits))
        for row in tradeoff.rows
    )
    return with_front(replace(tradeoff, limits=limits, rows=tuple(rows)))


def raced(tradeoff: Tradeoff, report: RaceReport, *, timed: bool) -> Tradeoff:
    """With what the race measured. Unless `timed` its times are no device's: memory alone is taken."""
    rows = {row.id: row for row in report.rows if row.state == "ok"}
    times = {
        each.kernels: latency.p50_ms.value
        for each in tradeoff.rows
        if timed and each.candidate in rows and (latency := rows[each.candidate].latency) is not None
    }

    def measured(row: Standing) -> Standing:
        own = rows.get(row.candidate)
        peak = own.peak_memory_bytes if own else None
        found = replace(row, p50_ms=times.get(row.kernels), peak_bytes=peak, raced=own is not None)
        return replace(found, refused=found.refused or too_slow(found, tradeoff.limits))

    return with_front(replace(tradeoff, rows=tuple(map(measured, tradeoff.rows))), report.margin)


def with_front(tradeoff: Tradeoff, margin: float = 0.0) -> Tradeoff:
    """`margin` is what a difference in latency has to exceed to be one. What is refused is not on the front and bars nobody from it."""
    able = [row for row in tradeoff.rows if not row.refused]
    rows = (
        replace(row, front=row in able and not any(_dominates(other, row, margin) for other in able))
        for row in tradeoff.rows
    )
    return replace(tradeoff, rows=tuple(rows))


def _dominates(a: Standing, b: Standing, margin: float) -> bool:
    no_worse = a.loss <= b.loss and a.wire_bytes <= b.wire_bytes
    better = a.loss < b.loss or a.wire_bytes < b.wire_bytes
    if a.kernels == b.kernels:
        return no_worse and better
    if a.p50_ms is None or b.p50_ms is None or a.p50_ms > b.p50_ms * (1 + margin):
        return False
    return no_worse and (better or b.p50_ms > a.p50_ms * (1 + margin))


def best_of(rows: Sequence[Standing]) -> Standing:
    """Of those that are equally fast: the least loss, then the fewest bytes on the wire, then the plan's first."""
    return min(rows, key=lambda row: (row.loss, row.wire_bytes))


def stand_ins(tradeoff: Tradeoff) -> Mapping[str, str]:
    """Of the candidates that keep the limits, those that another with the same kernels stands for, and which: these are not raced."""
    groups: dict[str, list[Standing]] = {}
    for row in tradeoff.rows:
        if not row.refused:
            groups.setdefault(row.kernels, []).append(row)
    found = {kernels: best_of(rows).candidate for kernels, rows in groups.items()}
    return {
        row.candidate: found[row.kernels]
        for rows in groups.values()
        for row in rows
        if row.candidate != found[row.kernels]
    }


def left_out(tradeoff: Tradeoff) -> dict[str, str]:
    """Which candidates are not to be raced, and why: over a limit, or, where the best is to be chosen, another stands for it."""
    reasons = {row.candidate: row.refused for row in tradeoff.rows if row.refused}
    if not tradeoff.auto:
        return reasons
    others = {
        id: f"same kernels as {other}, which is chosen before it" for id, other in stand_ins(tradeoff).items()
    }
    return reasons | others


def require_within(tradeoff: Tradeoff) -> None:
    """Raises GateFailed where no candidate keeps the limits, with the one that is nearest to them."""
    if any(not row.refused for row in tradeoff.rows):
        return
    over = [(_excess(row, tradeoff.limits), row) for row in tradeoff.rows]
    beyond = [(excess, row) for excess, row in over if excess > 1]
    details = [f"{row.candidate}: {row.refused}" for row in tradeoff.rows]
    if not beyond:
        raise GateFailed("no candidate passed the gate", details=details)
    excess, nearest = min(beyond, key=lambda pair: pair[0])
    raise GateFailed(
        f"no candidate is within the limits; nearest is {nearest.candidate}: {nearest.refused}, {_by_how_much(excess)}",
        f"widen that limit, or let candidates lose more (--max-drop){'' if tradeoff.auto else ', or try --recipe auto'}. Nothing went live.",
        details=details,
    )


def _by_how_much(excess: float) -> str:
    return f"{excess - 1:.1%} more" if excess < 2 else f"{excess:,.3g} times as much"


def _excess(row: Standing, limits: CostLimits) -> float:
    """By which factor it is over the limit that it misses by most; 1 where it misses none."""
    large = row.wire_bytes / limits.max_bytes if limits.max_bytes else 1.0
    slow = row.p50_ms / limits.max_latency_ms if limits.max_latency_ms and row.p50_ms is not None else 1.0
    return max(large, slow, 1.0)
