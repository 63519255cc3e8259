"""What passed the gate and is still no candidate: a file in which nothing was quantized, which would be raced as what it is not."""

from dataclasses import replace
from pathlib import Path

from edgeq.nouns.fidelity import Fidelity
from edgeq.plain_text import counted
from edgeq.quantize.audit import kernels
from edgeq.quantize.plan import NO_FLOAT, PREQUANTIZED
from edgeq.quantize.quantization import Quantization

_NAMED = 3  # reasons in a sentence, and layers of one reason


def shipped_or_not(fidelity: Fidelity, q: Quantization, path: Path) -> Fidelity:
    """Equal to float, and yet no candidate: it would be raced and shipped as what it is not."""
    if q.candidate.recipe == PREQUANTIZED:
        fidelity = replace(fidelity, gate=NO_FLOAT, as_it_came=True)
    if kernels.is_noop(q, path):
        return _not_shipped(fidelity, "nothing in the graph could be quantized")
    if q.has_ranges and fidelity.fusion and not any(a.integer for a in fidelity.fusion):
        # Scales at some additions or moves of values, and every layer with weights in float between them.
        layers = counted(sum(audit.total for audit in fidelity.fusion), "layer")
        return _not_shipped(fidelity, f"none of {layers} with weights runs in int8")
    return fidelity


def _not_shipped(fidelity: Fidelity, why: str) -> Fidelity:
    by_reason: dict[str, list[str]] = {}
    for skipped in fidelity.float_layers:
        by_reason.setdefault(skipped.reason, []).append(skipped.what)
    named = [(reason, whats[:_NAMED], len(whats) - _NAMED) for reason, whats in by_reason.items()]
    reasons = "; ".join(
        f"{', '.join(whats)}{f' and {more} more' if more > 0 else ''} ({reason})"
        for reason, whats, more in named[:_NAMED]
    )
    return replace(
        fidelity,
        passed=False,
        why_failed=f"{why}{': ' if reasons else ''}{reasons}",
        quantized_nothing=True,
    )
