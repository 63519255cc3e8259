"""The limits that a deployment keeps: those of the request, else those that the bundle was made with."""

from dataclasses import replace

from edgeq.conversion.standings import standings_of_bundle
from edgeq.nouns.recipe import AUTO
from edgeq.nouns.results import Conversion
from edgeq.nouns.tradeoff import CostLimits, Tradeoff
from edgeq.report.tradeoff import within
from edgeq.request.requests import DeployRequest


def limits_asked(conversion: Conversion, request: DeployRequest) -> Tradeoff | None:
    """What the candidates lose and cost, and whether each keeps the limits; None where there are none and the fastest goes live.

    A finished bundle remembers its limits; one that was made without gets its bytes on the wire measured where they are asked for.
    """
    known, asked = conversion.tradeoff, CostLimits(request.max_latency_ms, request.max_bytes)
    auto = request.recipe == AUTO or (request.recipe is None and known is not None and known.auto)
    if known is None:
        if not (asked.any or auto):
            return None
        return replace(standings_of_bundle(conversion, asked), auto=auto)
    limits = CostLimits(
        known.limits.max_latency_ms if asked.max_latency_ms is None else asked.max_latency_ms,
        known.limits.max_bytes if asked.max_bytes is None else asked.max_bytes,
    )
    return replace(within(known, limits), auto=auto)


def in_bundle(tradeoff: Tradeoff, candidates: tuple[str, ...]) -> Tradeoff:
    """Of these alone, which a release has."""
    return replace(tradeoff, rows=tuple(row for row in tradeoff.rows if row.candidate in candidates))
