"""When the plan's fallbacks are built: where no quantized candidate of the plan is close enough to float."""

from edgeq.nouns.fidelity import Fidelity
from edgeq.nouns.plan import CandidatePlan, Plan


def needed_fallbacks(plan: Plan, judged: tuple[Fidelity, ...]) -> tuple[CandidatePlan, ...]:
    """Those for a runtime whose static candidate failed its gate. One that found nothing to quantize is no reason."""
    quantized = {c.id: c for c in plan.candidates if c.recipe != "float"}
    of_those = [f for f in judged if f.candidate in quantized]
    if any(f.passed for f in of_those):
        return ()
    failed = (quantized[f.candidate] for f in of_those if not f.quantized_nothing)
    runtimes = {c.runtime for c in failed if c.recipe == "int8_static"}
    return tuple(c for c in plan.fallbacks if c.runtime in runtimes)
