"""Leaves in float what rounding breaks: only when the gate fails, the fewest layers with which it holds.

The layers are tried worst first, in doubling numbers, then the smallest number that passes is narrowed down. Each try
is judged by the gate itself on the held-out samples; the number of tries is bounded, so little is learned from them.
"""

from collections.abc import Callable
from dataclasses import replace

from edgeq.nouns.fidelity import Fidelity

from .audit.noise import Noise
from .host_run import Progress
from .samples_like import SamplesLike
from .variant import Variant

Judged = Callable[[frozenset[str]], Fidelity]

_WORST_SHOWN = 5
_HOPELESS_AFTER = 6  # doublings: 1, 2, 4, ... 32 layers


def repaired(
    variant: Variant, judged: Judged, samples: SamplesLike, progress: Progress
) -> tuple[Fidelity, dict[str, str]]:
    """The judgement of the file that is left at `variant.path`, and why each layer in it stays in float.

    When nothing helps, or only what leaves no integer kernel, the file is the fully quantized one and the judgement
    names its worst layers.
    """
    first = judged(frozenset())
    if first.passed:
        return first, {}
    noise = variant.noise(samples, progress)
    worst = tuple(n.as_error() for n in noise[:_WORST_SHOWN])
    passed = _fewest(list(noise), judged)
    if passed is None or not any(audit.integer for audit in variant.fusion()):
        variant.write(frozenset())
        return replace(first, worst_layers=worst), {}
    left, fidelity = passed
    return replace(fidelity, worst_layers=worst), _reasons(left)


def unrepaired(
    variant: Variant, judged: Judged, samples: SamplesLike, progress: Progress
) -> tuple[Fidelity, dict[str, str]]:
    """The judgement of the fully quantized file, with its worst layers where the gate fails."""
    first = judged(frozenset())
    if first.passed:
        return first, {}
    worst = variant.noise(samples, progress)[:_WORST_SHOWN]
    return replace(first, worst_layers=tuple(n.as_error() for n in worst)), {}


def _fewest(suspects: list[Noise], judged: Judged) -> tuple[list[Noise], Fidelity] | None:
    """The smallest number of suspects, worst first, that has to stay in float; the file is left as that one."""
    number, failed = 1, 0
    best: tuple[int, Fidelity] | None = None
    for _ in range(_HOPELESS_AFTER):
        number = min(number, len(suspects))
        if number == failed:
            return None
        fidelity = judged(_leave(suspects[:number]))
        if fidelity.passed:
            best = number, fidelity
            break
        failed, number = number, number * 2
    if best is None:
        return None
    last = best[0]
    while best[0] - failed > 1:
        last = (failed + best[0]) // 2
        fidelity = judged(_leave(suspects[:last]))
        best, failed = ((last, fidelity), failed) if fidelity.passed else (best, last)
    if last != best[0]:
        best = best[0], judged(_leave(suspects[: best[0]]))
    return suspects[: best[0]], best[1]


def _leave(suspects: list[Noise]) -> frozenset[str]:
    return frozenset().union(*(n.leave for n in suspects))


def _reasons(left: list[Noise]) -> dict[str, str]:
    """Per node; the suspect that costs most gives a node its reason."""
    reasons: dict[str, str] = {}
    for n in left:
        for node in sorted(n.leave):
            why = f"{n.cause} at {n.layer} alone leaves {n.sqnr_db:.1f} dB at the output: the gate fails with it in int8"
            reasons.setdefault(node, why)
    return reasons
