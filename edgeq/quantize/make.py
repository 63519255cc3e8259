"""Makes one candidate of a plan: runs its passes, asks the gate, audits the file.

A failed gate is a result here, not an error; what to do about it is for the caller.
"""

import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from edgeq import catalog
from edgeq.errors import DataRefused
from edgeq.graphs.input_shapes import OPEN_SHAPES
from edgeq.graphs.macs import graph_macs
from edgeq.graphs.ort_session import host_saturates
from edgeq.nouns.fidelity import Fidelity
from edgeq.nouns.model import Model
from edgeq.nouns.plan import CandidatePlan
from edgeq.quantize import all_int8, kept_candidates, pipelines
from edgeq.quantize.audit import kernels
from edgeq.quantize.calibration.array_cache import ArrayCache
from edgeq.quantize.counted import counted as counted_of
from edgeq.quantize.evaluate import evaluator
from edgeq.quantize.evaluate.gate import Gate, cannot_pass_with
from edgeq.quantize.evaluate.judge import STAGE as JUDGE_STAGE
from edgeq.quantize.evaluate.judge import float_reference, judge
from edgeq.quantize.evaluate.kept_outputs import KeptOutputs
from edgeq.quantize.evaluate.verdict_cache import VerdictCache, verdict_cache
from edgeq.quantize.kept_candidates import Kept, KeptCandidates
from edgeq.quantize.made import FEW, Made, kept_if, kept_of, made_of_file, made_of_kept, with_costs
from edgeq.quantize.next_effort import next_effort
from edgeq.quantize.options import DEFAULTS, Options
from edgeq.quantize.passes import mixed_precision
from edgeq.quantize.passes.mixed_precision import few_float_layers
from edgeq.quantize.passes.mixed_precision.minimize_float_set import tries_for
from edgeq.quantize.plan import PREQUANTIZED
from edgeq.quantize.quantization import Context, Quantization
from edgeq.quantize.run_model import Progress, load, no_progress
from edgeq.quantize.samples import SamplesLike, evenly_spaced
from edgeq.quantize.stopwatch import OPEN, Stopwatch

_JUDGE, _ALL = "judge", "all-int8"  # steps that are no passes
_FEW_SAMPLES = 8  # of what nobody judges by
_SCRATCH = ("outputs", evaluator.SCRATCH, kept_candidates.SCRATCH)


def make(
    candidate: CandidatePlan,
    model: Model,
    calibration: SamplesLike | None,
    heldout: SamplesLike,
    *,
    same_samples: bool,
    gate: Gate,
    workdir: Path,
    options: Options = DEFAULTS,
    progress: Progress = no_progress,
) -> Made:
    """Writes `workdir/<candidate id>/model.onnx` or `.tflite`. `progress(stage, share done)` is called often.

    Raises ConversionFailed when a converter or runtime breaks, ExtraMissing when an optional package is needed,
    DataRefused without samples for a static recipe or for a metric that fails, TargetRefused for an unknown calibrator.
    """
    started, options = time.monotonic(), options.of(candidate)
    folder = workdir / candidate.id
    folder.mkdir(parents=True, exist_ok=True)
    gate = gate.of(candidate.recipe)
    stopwatch = Stopwatch()
    q = _float(candidate, model)
    if q.method == "static" and calibration is None:
        raise DataRefused(f"{candidate.id} needs calibration samples", "give --data, or --recipe float")
    keeps = q.method not in ("none", "trained") and gate.metric is None
    kept = kept_candidates.of(
        candidate, model, calibration, heldout, options if keeps else DEFAULTS, same_samples=same_samples
    )
    context = _context(
        q, model, calibration, heldout, same_samples, gate, workdir, options, progress, stopwatch, kept
    )
    known = _made_before(candidate, kept, context)
    if known is not None:
        return known
    context.verdicts.found = 0  # a search counts its own
    q = pipelines.run(q, context)
    made, few, integers = made_of_file(q, context.path, model, context, started), None, None
    if _may_gain_by_few(q, made, context):
        made, few = _second(few_float_layers.run, FEW, made, q, model, context)
    place = kept.judged
    if made.fidelity.passed and all_int8.may_be_faster(q, context):
        made, integers = _second(all_int8.run, _ALL, made, q, model, context)
    made = replace(made, few_float=few, all_int8=integers)
    made = replace(made, fidelity=_with_next_effort(made, q, model, context))
    kept.put(kept_of(made), kept_if(few), kept_if(integers), place)
    for scratch in _SCRATCH:
        shutil.rmtree(folder / scratch, ignore_errors=True)
    return made


def quantized(
    candidate: CandidatePlan,
    model: Model,
    calibration: SamplesLike,
    *,
    workdir: Path,
    options: Options = DEFAULTS,
    progress: Progress = no_progress,
) -> tuple[Quantization, Path]:
    """The state of a static candidate after its passes, and its file, with every layer quantized that the passes quantize: no gate is
    asked. Raises as `make`.
    """
    options = options.of(candidate)
    (workdir / candidate.id).mkdir(parents=True, exist_ok=True)
    q, few = _float(candidate, model), evenly_spaced(calibration, _FEW_SAMPLES)
    kept = kept_candidates.of(candidate, model, calibration, few, DEFAULTS, same_samples=True)
    context = _context(
        q, model, calibration, few, True, Gate(), workdir, options, progress, Stopwatch(), kept
    )
    q = pipelines.passed(q, context)
    context.write(q)
    return q, context.path


def _made_before(candidate: CandidatePlan, kept: KeptCandidates, context: Context) -> Made | None:
    """What is known from before, where each file that was judged then passes the gate of now."""
    found = kept.find()
    if found is None:
        return None
    entry, files = found
    verdicts = []
    for file in files:
        context.path.write_bytes(file)
        verdicts.append(context.judge(context.progress))
        if not verdicts[-1].passed:
            return None
    context.path.write_bytes(files[0])
    plain = made_of_kept(entry.plain, context.path, verdicts[0])

    def second(one: Kept | None, index: int) -> Made | None:
        if one is None:
            return None
        place = context.path.parent.parent / one.plan.id / context.path.name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(files[index])
        return made_of_kept(one, place, verdicts[index])

    few, integers = second(entry.few, 1), second(entry.all_int8, entry.all_int8_file)
    return replace(plain, plan=candidate, few_float=few, all_int8=integers)


def _second(
    run: Callable[[Quantization, Context], Quantization],
    step: str,
    made: Made,
    q: Quantization,
    model: Model,
    context: Context,
) -> tuple[Made, Made | None]:
    """`made`, and the candidate that `run` makes of its state, if it makes another. The file at `context.path` stays that of `made`."""
    plain, started = context.path.read_bytes(), time.monotonic()
    with context.stopwatch.step(step):
        found = run(q, context)
    second = None
    if found is not q:
        second = made_of_file(found, _moved(context.path, found), model, context, started)
    else:
        made = replace(made, fidelity=with_costs(made.fidelity, q, context, started))
    context.path.write_bytes(plain)
    return made, second


def _float(candidate: CandidatePlan, model: Model) -> Quantization:
    """The state before any pass, without its graph (pipelines.read_graph)."""
    recipe = None if candidate.recipe == PREQUANTIZED else catalog.recipe(candidate.recipe)
    method, bits = (recipe.method, recipe.weight_bits) if recipe else ("none", 8)
    if method != "trained":
        return Quantization(candidate, method, bits, Path(model.files[candidate.format]))
    [network] = (each for each in model.networks if each.variant == candidate.network)
    source = Path(network.tflite if candidate.format == "tflite" else model.files["onnx"])
    return Quantization(candidate, method, bits, source, trained=Path(network.onnx))


def _context(
    q: Quantization,
    model: Model,
    calibration: SamplesLike | None,
    heldout: SamplesLike,
    same_samples: bool,
    gate: Gate,
    workdir: Path,
    options: Options,
    progress: Progress,
    stopwatch: Stopwatch,
    kept: KeptCandidates,
) -> Context:
    candidate, threads = q.candidate, options.threads
    path = workdir / candidate.id / f"model.{candidate.format}"
    with stopwatch.step(OPEN):
        floats = float_reference(
            model, heldout, workdir, threads=threads, cache=options.cache, progress=progress
        )
    verdicts = _verdicts(candidate, model, heldout, gate, options, same_samples)
    how = {"candidate": candidate.format, "native": candidate.pairs_saturate, "threads": threads}

    def judged(progress: Progress) -> Fidelity:
        progress(JUDGE_STAGE, 0.0)
        return judge(
            candidate.id,
            load(path, candidate.format, threads, native_kernels=candidate.pairs_saturate),
            floats.outputs,
            heldout,
            gate,
            path.parent / "outputs",
            same_samples=same_samples,
            names=tuple(o.name for o in model.outputs),
            kept=KeptOutputs(options.cache, path, heldout, **how),
            progress=progress,
        )

    def timed(progress: Progress) -> Fidelity:
        with stopwatch.step(_JUDGE):
            return kept.asked(path, verdicts.judged(path, lambda: judged(progress)))

    return Context(
        options=options,
        samples=calibration,
        heldout=heldout,
        path=path,
        backend=pipelines.PIPELINES[q.method, q.format].backend(frozenset(options.passes)),
        progress=progress,
        cache=ArrayCache(options.cache),
        judge=timed,
        verdicts=verdicts,
        has_integer_kernels=lambda q: kernels.has_integer_kernels(q, path),
        most_tries=_most_tries(q, model, heldout, gate, options),
        runs_as_defined=floats.differs_db is None,
        stopwatch=stopwatch,
    )


def _verdicts(
    candidate: CandidatePlan,
    model: Model,
    heldout: SamplesLike,
    gate: Gate,
    options: Options,
    same_samples: bool,
) -> VerdictCache:
    return verdict_cache(
        options.cache,
        model,
        heldout,
        gate,
        candidate=candidate.id,
        threads=options.threads,
        same_samples=same_samples,
        saturates=candidate.pairs_saturate and host_saturates(),
    )


def _most_tries(
    q: Quantization, model: Model, heldout: SamplesLike, gate: Gate, options: Options
) -> int | None:
    """By counted work, not by time: a large model gets fewer tries, and every machine the same number."""
    if mixed_precision.NAME not in options.passes or cannot_pass_with(gate, heldout.count):
        return None
    if options.search_tries is not None:
        return options.search_tries
    shapes = model.varied.largest if model.varied else OPEN_SHAPES
    macs = graph_macs(q.source, q.format, shapes).macs
    return tries_for(sum(macs.values()) * heldout.count)


def _may_gain_by_few(q: Quantization, made: Made, context: Context) -> bool:
    fidelity = made.fidelity
    return (
        context.samples is not None
        and mixed_precision.NAME in context.enabled
        and q.method == "static"
        and q.activation_bits == 8
        and fidelity.passed
        and not fidelity.quantized_nothing
    )


def _moved(path: Path, q: Quantization) -> Path:
    """The file at `path`, copied to a folder of the candidate's own."""
    place = path.parent.parent / q.candidate.id / path.name
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, place)
    return place


def _with_next_effort(made: Made, q: Quantization, model: Model, context: Context) -> Fidelity:
    costs = tuple(cost for one in made.all_of_it for cost in one.fidelity.costs)
    calibrate = context.samples.count if context.samples is not None else 0
    following = next_effort(
        q, context.options.effort, costs, lambda: counted_of(model, calibrate, context.heldout.count)
    )
    return replace(made.fidelity, next_effort=following)
