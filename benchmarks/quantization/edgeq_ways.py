"""edgeq's own side: its default path for each runtime, and layers fitted to few levels on top of it."""

import platform
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.quantization.cases import Case
from benchmarks.quantization.contestants import Way
from edgeq.agent.facts import read_facts
from edgeq.errors import EdgeqError
from edgeq.graphs.float_graph import read
from edgeq.nouns.fidelity import Fidelity
from edgeq.nouns.plan import CandidatePlan
from edgeq.quantize.backends.ort import qdq
from edgeq.quantize.calibration.calibrate import calibrate_onnx, needs_histogram, ranges_of
from edgeq.quantize.effort import DEFAULT
from edgeq.quantize.evaluate.gate import Gate
from edgeq.quantize.make import make
from edgeq.quantize.options import Options
from edgeq.quantize.passes.fit.fit_layers import fit_layers, save_with_weights
from edgeq.quantize.passes.fit.qdq_file import QdqFile
from edgeq.quantize.scheme import scheme_for

if TYPE_CHECKING:
    from edgeq.quantize.weights import Weights

_RANGES = "minmax"
_TRIED = 8  # samples to see that the file runs and answers; no peer judges what it makes, the comparison does
_ANSWERS = Gate(min_sqnr_db=10.0, ignore_labels=True)


def quantize(
    case: Case, way: Way, folder: Path, threads: int, effort: str = DEFAULT
) -> tuple[Path, tuple[str, ...]]:
    """The file and what there is to say of it. Raises EdgeqError."""
    if way.bits != "W8A8":
        return few_levels(case, int(way.bits[1]), folder, threads)
    made = make(
        plan_for_here(way),
        case.models[way.format],
        case.calibration,
        replace(case.judged, rows=case.judged.rows[:_TRIED], labels=None, sha256="1" * 64),
        same_samples=False,
        gate=_ANSWERS,
        workdir=folder,
        options=Options(threads=threads, effort=effort),
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
    """Weights of 2^bits levels per channel, stored as int8; every layer, activations 8 bits. Raises EdgeqError."""
    model, path = read(case.file("onnx")), folder / "model.onnx"
    scheme, _ = scheme_for("onnxruntime", platform.machine(), read_facts("/").isa)
    seen = calibrate_onnx(model, case.calibration, needs_histogram(_RANGES), threads=threads)
    qdq.emit(model, path, replace(scheme, thin_in_float=False), ranges_of(seen, _RANGES))
    found = fit_layers(QdqFile.read(path, model), case.calibration, bits=bits, threads=threads)
    save_with_weights(QdqFile.read(path, model), found, path)
    return path, _levels(found, bits)


def _levels(found: Mapping[str, "Weights"], bits: int) -> tuple[str, ...]:
    """What was really used, counted. Raises EdgeqError where a channel has more levels than were asked for."""
    rows = [row for w in found.values() for row in w.integers.reshape(w.scale.size, -1)]
    most = max(len(np.unique(row)) for row in rows)
    if most > 2**bits:
        raise EdgeqError(
            f"{most} levels in a channel where {2**bits} were asked for", "report this: it is a fault"
        )
    return (f"at most {most} levels in each of the {len(rows)} channels of {len(found)} layers",)
