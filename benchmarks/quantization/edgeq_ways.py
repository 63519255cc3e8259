"""edgeq's own side: its default path for each runtime, and reconstruction to few levels on top of it."""

import platform
from pathlib import Path

from benchmarks.quantization.cases import Case
from benchmarks.quantization.contestants import Way
from edgeq.agent.facts import read_facts
from edgeq.errors import EdgeqError
from edgeq.nouns.fidelity import Fidelity
from edgeq.nouns.plan import CandidatePlan
from edgeq.quantize.gate import Gate
from edgeq.quantize.make import make
from edgeq.quantize.scheme import scheme_for


def quantize(case: Case, way: Way, folder: Path, threads: int) -> tuple[Path, tuple[str, ...]]:
    """The file and what there is to say of it. Raises EdgeqError."""
    if way.bits != "W8A8":
        return few_levels(case, int(way.bits[1]), folder, threads)
    made = make(
        plan_for_here(way),
        case.models[way.format],
        case.calibration,
        case.judged,
        same_samples=False,
        gate=Gate(),
        workdir=folder,
        threads=threads,
    )
    fidelity = made.fidelity
    gate = () if fidelity.passed else (f"fails its gate: {fidelity.why_failed}",)
    return made.path, (f"calibrator {fidelity.calibrator}", *gate, *_left_in_float(fidelity))


def _left_in_float(fidelity: Fidelity) -> tuple[str, ...]:
    """Grouped by reason."""
    by_reason: dict[str, list[str]] = {}
    for layer in fidelity.float_layers:
        by_reason.setdefault(layer.reason, []).append(layer.what)
    return tuple(f"in float: {', '.join(what)}: {reason}" for reason, what in by_reason.items())


def plan_for_here(way: Way) -> CandidatePlan:
    """Static int8 as edgeq plans it for this machine's CPU."""
    isa = read_facts("/").isa
    scheme, why = scheme_for(way.runtime, platform.machine(), isa)
    return CandidatePlan(
        f"{way.runtime}-int8_static", way.runtime, "int8_static", way.format, why, scheme=scheme
    )


def few_levels(case: Case, bits: int, folder: Path, threads: int) -> tuple[Path, tuple[str, ...]]:
    """Weights of 2^bits levels per channel, carried in int8; every layer, activations 8 bits."""
    raise EdgeqError(f"edgeq has no way to {bits}-bit weights yet", "compare W8A8 only: --bits W8A8")
