"""What edgeq promises of the real models, and whether a deployment kept it. Judges only; runs nothing.

A goal is met, not met, or not compared: where the machine was not quiet or is of another kind than the goal speaks
of. What was seen is said in every case.
"""

from dataclasses import dataclass

from benchmarks.zoo_deploy import Deployed
from edgeq.nouns.report import Estimate

MET, NOT_MET, NOT_COMPARED = "met", "not met", "not compared"

WITHIN_POINTS = 0.5
WORST_RATIO = 1.03
BASELINE = "onnxruntime-float"
# How often the best int8 candidate does what onnxruntime's float does once; x86 with VNNI, one thread.
SPEEDUPS = {"resnet20": 1.8, "mobilenet_v2": 1.8, "resnet56": 3.0}
_VNNI = ("avx512_vnni", "avx_vnni")


@dataclass(frozen=True)
class Goal:
    model: str
    what: str
    state: str
    seen: str


def goals_of(deployed: Deployed) -> tuple[Goal, ...]:
    """Those that there are for this model."""
    wanted = [_never_slower(deployed)]
    if deployed.classifier:
        wanted.insert(0, _faithful(deployed))
    if deployed.name in SPEEDUPS:
        wanted.append(_faster(deployed, SPEEDUPS[deployed.name]))
    return tuple(wanted)


def interval(estimate: Estimate, digits: int = 2) -> str:
    """A value and the ends of its interval."""
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.{digits}f} (too few rounds for an interval)"
    return f"{estimate.value:.{digits}f} ({estimate.low:.{digits}f} to {estimate.high:.{digits}f})"


def _faithful(deployed: Deployed) -> Goal:
    """By the paired point estimate, like the gate; the interval is shown beside it."""
    judged = [f for f in deployed.fidelity if "int8" in f.candidate and f.accuracy is not None]
    lost = [f.accuracy.difference for f in judged if f.accuracy]
    state = MET if lost and min(lost) >= -WITHIN_POINTS else NOT_MET
    seen = ", ".join(
        f"{f.candidate} {f.accuracy.difference:+.2f} ({f.accuracy.low:+.2f} to {f.accuracy.high:+.2f})"
        for f in judged
        if f.accuracy
    )
    return Goal(
        deployed.name, f"int8 within {WITHIN_POINTS} points of float", state, seen or "no int8 candidate"
    )


def _never_slower(deployed: Deployed) -> Goal:
    """Against every float there is, at the unlucky end."""
    live = deployed.choice.candidate
    what = f"live never slower than float: upper end <= {WORST_RATIO}"
    others = [f for f in deployed.floats if f != live]
    if live in deployed.floats and not others:
        return Goal(deployed.name, what, MET, f"{live} is live: float itself")
    pairs = [deployed.race.pair(live, f) for f in others]
    seen = ", ".join(f"{live} / {p.against} {interval(p.ratio, 3)}" for p in pairs if p)
    if deployed.race.not_compared or not all(pairs):
        return Goal(deployed.name, what, NOT_COMPARED, seen or "too few rounds")
    high = max(p.ratio.high or p.ratio.value for p in pairs if p)
    return Goal(deployed.name, what, MET if high <= WORST_RATIO else NOT_MET, seen)


def _faster(deployed: Deployed, factor: float) -> Goal:
    """The fastest int8 candidate that passed its gate against onnxruntime's float."""
    what = f"int8 >= {factor}x of onnxruntime float (x86 VNNI, one thread)"
    pairs = [p for p in deployed.race.pairs if p.against == BASELINE and "int8" in p.entrant]
    if not pairs:
        return Goal(
            deployed.name, what, NOT_COMPARED, f"no int8 candidate shares enough rounds with {BASELINE}"
        )
    best = min(pairs, key=lambda p: p.ratio.value)
    seen = f"{best.entrant} {1 / best.ratio.value:.2f}x, ratio {interval(best.ratio, 3)}"
    if not any(flag in deployed.facts.isa for flag in _VNNI):
        return Goal(deployed.name, what, NOT_COMPARED, f"{seen}; this CPU has no VNNI")
    if deployed.race.not_compared:
        return Goal(deployed.name, what, NOT_COMPARED, seen)
    return Goal(deployed.name, what, MET if 1 / best.ratio.value >= factor else NOT_MET, seen)
