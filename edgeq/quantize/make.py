"""Builds one candidate of a plan and judges it: write, hold against float, repair if the gate fails, audit.

A failed gate is a result here, not an error; what to do about it is for the caller.
"""

import math
import shutil
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path

from edgeq.foreign import translated
from edgeq.graphs.ort_session import host_saturates
from edgeq.nouns.fidelity import Fidelity
from edgeq.nouns.model import Model
from edgeq.nouns.plan import CandidatePlan
from edgeq.nouns.repairs import ALL, OFF, Tried, counted
from edgeq.quantize.backends.litert.kernels import oldest_version
from edgeq.quantize.backends.litert_static import TfliteStatic
from edgeq.quantize.backends.ort_static import OnnxStatic
from edgeq.quantize.backends.variant import variant_of
from edgeq.quantize.calibration.array_cache import Kept
from edgeq.quantize.evaluate.gate import Gate, too_few
from edgeq.quantize.evaluate.judge import float_reference, judge
from edgeq.quantize.evaluate.verdict_cache import remembered
from edgeq.quantize.float_graph import oldest_runtime
from edgeq.quantize.graph_work import work_of
from edgeq.quantize.made import Made
from edgeq.quantize.memory import predict_peak
from edgeq.quantize.passes.mixed_precision.few_closeness import Closeness
from edgeq.quantize.passes.mixed_precision.few_float_layers import WORTH_DB, few_in_float, worst_db
from edgeq.quantize.passes.mixed_precision.minimize_float_set import tries_for
from edgeq.quantize.passes.mixed_precision.search import repaired, unrepaired
from edgeq.quantize.plan import AS_IS, NO_FLOAT
from edgeq.quantize.run_model import Progress, load, no_progress
from edgeq.quantize.samples import SamplesLike
from edgeq.quantize.sensitivity.noise import Noise
from edgeq.quantize.sized import AS_IT_IS, Shapes

_FITTED = (OnnxStatic, TfliteStatic)
_NAMED = 3  # reasons in a sentence, and layers of one reason


def make(
    candidate: CandidatePlan,
    model: Model,
    calibration: SamplesLike | None,
    heldout: SamplesLike,
    *,
    same_samples: bool,
    gate: Gate,
    workdir: Path,
    threads: int = 1,
    progress: Progress = no_progress,
    calibrator: str = "auto",
    repairs: Collection[str] = ALL,
    search_tries: int | None = None,
    cache: Path | None = None,
) -> Made:
    """Writes `workdir/<candidate id>/model.onnx` or `.tflite`. `progress(stage, share done)` is called often.

    `calibrator` is a name of quantize/calibration/observers, or "auto": what comes closest to float. What calibration saw, and
    what the gate said of each file, is kept below `cache` for the same model and samples. `repairs` are those of
    edgeq/nouns/repairs.py that may be used. `search_tries` bounds the search for the fewest layers in float, where the
    gate fails without any (search.py); None: by the work of one try.

    Raises ConversionFailed when a converter or runtime breaks, ExtraMissing when an optional package is needed,
    DataRefused for a metric that fails, TargetRefused for an unknown calibrator.
    """
    started = time.monotonic()
    folder = workdir / candidate.id
    folder.mkdir(parents=True, exist_ok=True)
    reference = float_reference(model, heldout, workdir, threads=threads, progress=progress).outputs
    variant = variant_of(
        candidate, model, calibration, folder, calibrator, threads, progress, Kept(cache), repairs
    )
    gate = gate.of(candidate.recipe)
    memory = remembered(
        cache,
        model,
        heldout,
        gate,
        candidate=candidate.id,
        threads=threads,
        same_samples=same_samples,
        saturates=candidate.pairs_saturate and host_saturates(),
    )

    def held_against_float(progress: Progress) -> Fidelity:
        runner = load(variant.path, candidate.format, threads, as_this_host=candidate.pairs_saturate)
        return judge(
            candidate.id,
            runner,
            reference,
            heldout,
            gate,
            folder / "outputs",
            same_samples=same_samples,
            names=tuple(o.name for o in model.outputs),
            progress=progress,
        )

    def judged_now(progress: Progress) -> Fidelity:
        return memory.judged(variant.path, lambda: held_against_float(progress))

    def judged(leave: frozenset[str], progress: Progress) -> Fidelity:
        variant.write(leave)
        return judged_now(progress)

    def noise() -> tuple[Noise, ...]:
        """Of the file without a fit: where one layer is broken, those behind it are fitted to what it left."""
        if isinstance(variant, _FITTED):
            variant.write_rounded(frozenset())
        found = memory.noise(variant.path, lambda: variant.noise(heldout, progress))
        variant.write(frozenset())
        return found

    if "mixed" in repairs and not too_few(gate, heldout.count):  # no layer in float makes samples
        most = _tries(candidate, model, heldout) if search_tries is None else search_tries
        fidelity, by_choice = repaired(variant, judged, noise, progress, most)
        if by_choice and fidelity.passed and "fit" in repairs and isinstance(variant, _FITTED):
            again = _fitted_again(variant, fidelity, frozenset(by_choice), judged_now, progress, most)
            variant, fidelity = again.variant, again.fidelity
            by_choice = {name: why for name, why in by_choice.items() if name in again.leave}
    else:
        fidelity, by_choice = unrepaired(judged, noise, progress)
    fidelity = replace(
        fidelity,
        float_layers=variant.left_in_float(by_choice),
        fusion=variant.fusion(),
        calibrator=variant.calibrator,
        remedies=variant.remedies,
        search=fidelity.search and replace(fidelity.search, remembered=memory.found),
        repairs=(*variant.repairs, *_mixed(by_choice, fidelity, repairs)),
        seconds=round(time.monotonic() - started, 3),
    )
    if candidate.recipe == AS_IS:
        fidelity = replace(fidelity, gate=NO_FLOAT, as_it_came=True)
    if variant.untouched():
        fidelity = _of_nothing(fidelity)
    elif _computes_in_float(candidate, fidelity):
        fidelity = _of_no_integers(fidelity)
    made = _made(candidate, variant.path, fidelity, model)
    if calibration is not None and "mixed" in repairs and _may_win(candidate, fidelity):
        assert isinstance(variant, _FITTED)  # the recipe says so
        plain = variant.path.read_bytes()
        few = _few(made, variant, model, calibration, by_choice, judged_now, threads, progress)
        made = replace(made, few=few)
        variant.path.write_bytes(plain)
    for scratch in ("outputs", "closest", "few"):
        shutil.rmtree(folder / scratch, ignore_errors=True)
    return made


@dataclass(frozen=True)
class _FittedAgain:
    variant: OnnxStatic | TfliteStatic
    fidelity: Fidelity
    leave: frozenset[str]


def _fitted_again(
    variant: OnnxStatic | TfliteStatic,
    before: Fidelity,
    leave: frozenset[str],
    judged: Callable[[Progress], Fidelity],
    progress: Progress,
    most_tries: int,
) -> _FittedAgain:
    """Fitted to the rounding that is left with `leave` in float, where that comes closer to float or needs fewer of them: all
    were fitted while broken ones were among them. `judged` is asked of the file at `variant.path`.
    """
    fitted, fewer, tries = variant.fitted_with(leave), leave, 1
    for name in sorted(leave)[: max(most_tries, 0)] if len(leave) > 1 else ():
        fitted.write(fewer - {name})
        tries += 1
        if judged(progress).passed:
            fewer -= {name}
    if fewer != leave:
        fitted = fitted.fitted_with(fewer)
    fitted.write(fewer)
    after = judged(progress)
    if after.passed and (len(fewer) < len(leave) or _db(after) > _db(before)):
        assert before.search is not None  # its layers are what is fitted without
        search = replace(before.search, tries=before.search.tries + tries, left=len(fewer))
        return _FittedAgain(fitted, replace(after, search=search, worst_layers=before.worst_layers), fewer)
    variant.write(leave)
    return _FittedAgain(variant, before, leave)


def _db(fidelity: Fidelity) -> float:
    found = worst_db(fidelity)
    return math.inf if found is None else found


def _may_win(candidate: CandidatePlan, fidelity: Fidelity) -> bool:
    return candidate.recipe == "int8_static" and fidelity.passed and not fidelity.quantized_nothing


def _few(
    plain: Made,
    variant: OnnxStatic | TfliteStatic,
    model: Model,
    calibration: SamplesLike,
    by_choice: dict[str, str],
    judged: Callable[[Progress], Fidelity],
    threads: int,
    progress: Progress,
) -> Made | None:
    """The candidate with a few layers in float, in a folder of its own; None where it is not worth one, or where the
    held-out samples do not show what the calibration samples did. `judged` is asked of the file at `variant.path`.
    """
    started, kept = time.monotonic(), frozenset(by_choice)
    scratch = variant.path.parent / "few"
    closeness_db = Closeness(variant, plain.plan, model, calibration, scratch, threads, progress)

    def noise() -> tuple[Noise, ...]:
        variant.write_rounded(kept)
        return variant.noise(calibration, progress)

    few = few_in_float(plain.fidelity, kept, noise, variant.work(), closeness_db)
    if few is None:
        return None
    fitted = variant.fitted_with(few.leave)
    fitted.write(few.leave)
    fidelity = judged(progress)
    before, after = worst_db(plain.fidelity), worst_db(fidelity)
    if not fidelity.passed or before is None or after is None or after - before < WORTH_DB:
        return None
    if not any(audit.integer for audit in fitted.fusion()):
        return None
    more = f"{counted(len(few.added), 'operator')}{' more' if kept else ''}"
    what = f"{plain.plan.recipe} with {more} in float"
    why = f"{what}: {after:.1f} dB for {before:.1f}, {few.work:.1%} of the work"
    plan = replace(plain.plan, id=f"{plain.plan.id}-few-float", reason=why)
    fidelity = replace(
        fidelity,
        candidate=plan.id,
        float_layers=fitted.left_in_float({**by_choice, **few.added}),
        fusion=fitted.fusion(),
        calibrator=fitted.calibrator,
        remedies=fitted.remedies,
        repairs=(*fitted.repairs, Tried("mixed", True, why, round(after - before, 1))),
        seconds=round(time.monotonic() - started, 3),
    )
    place = variant.path.parent.parent / plan.id / variant.path.name
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(variant.path, place)
    return _made(plan, place, fidelity, model)


def _tries(candidate: CandidatePlan, model: Model, heldout: SamplesLike) -> int:
    """By counted work, not by time: a large model gets fewer tries, and every machine the same number."""
    shapes = model.varied.largest if model.varied else AS_IT_IS
    macs = work_of(Path(model.files[candidate.format]), candidate.format, shapes).macs
    return tries_for(sum(macs.values()) * heldout.count)


def _mixed(by_choice: dict[str, str], fidelity: Fidelity, repairs: Collection[str]) -> tuple[Tried, ...]:
    """What there is to say where the gate did not simply hold."""
    if "mixed" not in repairs:
        return (Tried("mixed", False, OFF),)
    if by_choice:
        return (Tried("mixed", True, f"{counted(len(by_choice), 'operator')}, so that the gate holds"),)
    if fidelity.passed or fidelity.search is None:
        return ()
    return (Tried("mixed", False, "no small set of layers makes the gate hold"),)


def _of_nothing(fidelity: Fidelity) -> Fidelity:
    """Equal to float, and yet no candidate: it would be raced and shipped as what it is not."""
    return _not_shipped(fidelity, "nothing in the graph could be quantized")


def _computes_in_float(candidate: CandidatePlan, fidelity: Fidelity) -> bool:
    """Other recipes may gain by smaller weights alone; what fixes ranges is there for integer kernels."""
    of_integers = candidate.recipe in ("int8_static", "int16x8_static")
    return of_integers and bool(fidelity.fusion) and not any(audit.integer for audit in fidelity.fusion)


def _of_no_integers(fidelity: Fidelity) -> Fidelity:
    """Scales at some additions or moves of values, and every layer with weights in float between them."""
    layers = counted(sum(audit.total for audit in fidelity.fusion), "layer")
    return _not_shipped(fidelity, f"none of {layers} with weights runs in int8")


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


def _made(candidate: CandidatePlan, path: Path, fidelity: Fidelity, model: Model) -> Made:
    shapes: Shapes = model.varied.largest if model.varied else AS_IT_IS
    runner = load(path, candidate.format)
    integers = candidate.scheme is not None and candidate.scheme.integer_io
    return Made(
        plan=candidate,
        path=path,
        inputs=runner.inputs,
        outputs=runner.outputs,
        input_types=runner.input_types,
        takes=runner.takes if integers else (),
        gives=runner.gives if integers else (),
        min_runtime=_min_runtime(path, candidate),
        memory_bytes=predict_peak(path, candidate.format, shapes),
        fidelity=fidelity,
    )


def _min_runtime(path: Path, candidate: CandidatePlan) -> str | None:
    if candidate.format == "tflite":
        return oldest_version(path, candidate.runtime)
    import onnx

    with translated(f"cannot read {path.name} as ONNX"):
        return oldest_runtime(onnx.load(str(path), load_external_data=False))
