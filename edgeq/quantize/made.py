"""A finished candidate: what is read from its file, and what was done for it."""

import dataclasses
import time
from dataclasses import dataclass, replace
from pathlib import Path

from edgeq.graphs.input_shapes import OPEN_SHAPES, Shapes
from edgeq.graphs.memory import predict_peak
from edgeq.graphs.onnx_io import oldest_runtime
from edgeq.graphs.weights_in_file import read_weightless
from edgeq.nouns.fidelity import Fidelity
from edgeq.nouns.model import Model
from edgeq.nouns.passes import ALL, AppliedChange, PassResult
from edgeq.nouns.plan import CandidatePlan
from edgeq.nouns.tensor import TensorSpec
from edgeq.quantize import kept_candidates
from edgeq.quantize.audit import float_layers, kernels
from edgeq.quantize.backends.litert.kernels import oldest_version
from edgeq.quantize.evaluate.verdict_cache import VerdictCache
from edgeq.quantize.kept_candidates import Kept
from edgeq.quantize.passes import fuse, mixed_precision
from edgeq.quantize.quantization import AUDIT, Context, Quantization
from edgeq.quantize.run_model import load
from edgeq.quantize.shipped import shipped_or_not

_AUDIT, FEW = "audit", "few-float"  # steps that are no passes


@dataclass(frozen=True)
class Made:
    """A candidate that exists, with its verdict. `inputs` and `outputs` are the file's own names in its order, `input_types` its element
    types where the runtime tells them; `memory_bytes` is the predicted peak above the loaded runtime; `min_runtime` the
    oldest runtime version that reads the file, if known. `quantized_inputs` and `quantized_outputs`: the file's own where an
    application feeds it integers (--integer-io); else empty. `few_float`: the same with a few layers in float, and `all_int8`
    with some more in int8 (all_int8.py), candidates of their own.
    """

    plan: CandidatePlan
    path: Path
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    min_runtime: str | None
    memory_bytes: int
    fidelity: Fidelity
    input_types: tuple[str, ...] = ()
    quantized_inputs: tuple[TensorSpec, ...] = ()
    quantized_outputs: tuple[TensorSpec, ...] = ()
    few_float: "Made | None" = None
    all_int8: "Made | None" = None

    @property
    def all_of_it(self) -> "tuple[Made, ...]":
        """Itself and the candidates that were made from it, in the order of the plan."""
        return tuple(one for one in (self, self.few_float, self.all_int8) if one is not None)


def made_of_file(q: Quantization, path: Path, model: Model, context: Context, started: float) -> Made:
    """The finished candidate at `path`."""
    candidate = q.candidate
    context.progress(AUDIT, 0.0)
    with context.stopwatch.step(_AUDIT):
        fidelity = shipped_or_not(_audited(q, path, context.verdicts), q, path)
        shapes: Shapes = model.varied.largest if model.varied else OPEN_SHAPES
        memory_bytes = predict_peak(path, candidate.format, shapes)
        runner = load(path, candidate.format)
    return Made(
        plan=candidate,
        path=path,
        inputs=runner.inputs,
        outputs=runner.outputs,
        input_types=runner.input_types,
        quantized_inputs=runner.quantized_inputs if q.integer_io else (),
        quantized_outputs=runner.quantized_outputs if q.integer_io else (),
        min_runtime=_min_runtime(path, candidate),
        memory_bytes=memory_bytes,
        fidelity=with_costs(fidelity, q, context, started),
    )


def _audited(q: Quantization, path: Path, verdicts: VerdictCache) -> Fidelity:
    """The gate's judgement with what was done for it."""
    assert q.fidelity is not None
    return replace(
        q.fidelity,
        candidate=q.candidate.id,
        float_layers=float_layers.layers_in_float(q, path),
        fusion=kernels.fusion(q, path),
        calibrator=q.calibrator,
        remedies=_changes(q),
        search=q.fidelity.search and replace(q.fidelity.search, remembered=verdicts.found),
        repairs=_results(q),
    )


def with_costs(fidelity: Fidelity, q: Quantization, context: Context, started: float) -> Fidelity:
    """And of the time since `started`, with what each pass gained. A search that found no second candidate counts for the
    first.
    """
    gains = {result.repair: result.gain_db for result in q.results if result.kept}
    gains[FEW] = gains.get(mixed_precision.NAME)
    costs = (replace(each, gain_db=gains.get(each.step)) for each in context.stopwatch.lap())
    seconds = round(fidelity.seconds + time.monotonic() - started, 3)
    return replace(fidelity, seconds=seconds, costs=(*fidelity.costs, *costs))


def made_of_kept(kept: Kept, path: Path, verdict: Fidelity) -> Made:
    """Of one that was made before, with the `verdict` of now."""
    fidelity = kept_candidates.judged_again(kept.fidelity, verdict)
    fields = {each.name: getattr(kept, each.name) for each in dataclasses.fields(kept)}
    return Made(**{**fields, "path": path, "fidelity": fidelity})


def kept_of(made: Made) -> Kept:
    return Kept(**{each.name: getattr(made, each.name) for each in dataclasses.fields(Kept)})


def kept_if(made: Made | None) -> Kept | None:
    return None if made is None else kept_of(made)


def _changes(q: Quantization) -> tuple[AppliedChange, ...]:
    """In the order of the passes; behind them the backend's moves, then the weights of layers that are not in float."""
    moved = q.written.changes if q.written else ()
    weights = (change for change in q.weight_changes if change.what not in q.in_float)
    return (*(change for changes in q.changes.values() for change in changes), *moved, *weights)


def _results(q: Quantization) -> tuple[PassResult, ...]:
    """In the order in which passes are listed to users."""
    moved = q.written.changes if q.written else ()
    found = {result.repair: result for result in q.results}
    if fuse.NAME in found and fuse.NAME in q.changes:
        found[fuse.NAME] = fuse.result_of((*q.changes[fuse.NAME], *moved))
    return tuple(found[name] for name in ALL if name in found)


def _min_runtime(path: Path, candidate: CandidatePlan) -> str | None:
    if candidate.format == "tflite":
        return oldest_version(path, candidate.runtime)
    return oldest_runtime(read_weightless(path))
