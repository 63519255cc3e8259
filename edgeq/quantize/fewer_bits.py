"""Static int8 with weights of fewer bits beside it: candidates that run the same kernels and are smaller to send."""

from dataclasses import replace

from edgeq.nouns.plan import CandidatePlan, Plan, Skipped

FEWER = (6, 5, 4, 3)
"""Bits of a weight on average, the most first. Two take training (docs/training.md)."""

_RECIPE = "int8_static"


def with_fewer_bits(plan: Plan, why_not: str = "", asked: float = 8) -> Plan:
    """Behind each static int8 candidate of `plan` those with fewer bits; `why_not` there are none. `asked`: the bits of a network that is
    trained beside it, which are not those of the plan's own.
    """
    if asked < 8:
        plan = replace(plan, candidates=tuple(_all_bits(c) for c in plan.candidates))
    static = [c for c in plan.candidates if c.recipe == _RECIPE]
    if why_not:
        skipped = (Skipped(f"{c.runtime} {_RECIPE} with fewer bits", why_not) for c in static)
        return replace(plan, skipped=(*plan.skipped, *skipped))
    wider = {c.id: tuple(_with(c, bits) for bits in FEWER) for c in static}
    return replace(plan, candidates=tuple(p for c in plan.candidates for p in (c, *wider.get(c.id, ()))))


def _all_bits(candidate: CandidatePlan) -> CandidatePlan:
    return replace(candidate, weight_bits=8.0) if candidate.recipe == _RECIPE else candidate


def _with(candidate: CandidatePlan, bits: int) -> CandidatePlan:
    why = f"weights of {bits} bits on average, which are int8 on the device: the kernels of {candidate.id}, smaller to send"
    return replace(candidate, id=f"{candidate.id}-{bits}bit", weight_bits=float(bits), reason=why)
