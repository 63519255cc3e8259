"""Builds and judges every candidate of a plan: what cannot be built is left out, fallbacks are taken where they are needed."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgeq.conversion import cache
from edgeq.conversion.conversion_job import ConversionJob
from edgeq.conversion.data_use import SampleSplit
from edgeq.conversion.fallbacks import needed_fallbacks
from edgeq.conversion.gate_remedies import gate_remedies
from edgeq.conversion.time_budget import TimeBudget, in_order_of_gain
from edgeq.errors import ConversionFailed, DataRefused, ExtraMissing, GateFailed
from edgeq.foreign import as_conversion_failed
from edgeq.graphs.layer_bits import layer_bits
from edgeq.limited.jobs import cores, using
from edgeq.limited.native_call import RunTooLong
from edgeq.nouns.fidelity import Fidelity, words_of_db
from edgeq.nouns.model import Model
from edgeq.nouns.plan import CandidatePlan, Plan, Skipped
from edgeq.nouns.progress import Note
from edgeq.nouns.recipe import AUTO, one_recipe
from edgeq.nouns.weight_levels import UNIFORM, levels_of
from edgeq.report.formats.short_names import short_name
from edgeq.request.conversion_options import weight_bits_of
from edgeq.request.finetune_rules import RECIPE
from edgeq.request.option import parsed
from edgeq.request.tell import Tell, shares
from edgeq.request.time_left import TimeLeft

if TYPE_CHECKING:  # they import numpy
    from edgeq.quantize.evaluate.gate import Gate
    from edgeq.quantize.made import Made
    from edgeq.quantize.options import Options

_WIDE = 3.0  # points
_NOTABLE_BITS = 1.5  # in the mean: the bits of a layer are rounded up


def make_candidates(
    job: ConversionJob,
    model: Model,
    plan: Plan,
    split: SampleSplit,
    gate: "Gate",
    work: Path,
    tell: Tell,
    times: TimeLeft,
    budget: TimeBudget,
) -> "tuple[Plan, tuple[Made, ...]]":
    """Every candidate that `budget` leaves time for, built and judged, and the plan with the fallbacks that it took. Raises GateFailed when
    no quantized candidate is close enough to float.
    """
    from edgeq.quantize.make import make

    options = _options(job)

    def built(candidate: CandidatePlan) -> "Made":
        try:
            with (
                using(job.request.jobs or cores()),
                as_conversion_failed(_not_built(candidate), _remedy(candidate)),
            ):
                one = make(
                    candidate,
                    model,
                    split.calibration,
                    split.heldout,
                    same_samples=split.same_samples,
                    gate=gate,
                    workdir=work,
                    progress=shares(tell, candidate.id, times),
                    options=options,
                )
        finally:
            times.over(candidate.id)
        _tell_of(one, model, split, job, tell)
        return one

    asked = one_recipe(job.request.recipe)
    plan = _without_unlearned(plan, split)
    order = _order(job, model, plan)
    made, broken = _all_that_can_be(order, asked, built, tell, budget)
    made.sort(key=lambda one: [c.id for c in plan.candidates].index(one.plan.id))
    plan = _with_others(_without(plan, broken), made)
    made = [each for one in made for each in one.all_of_it]
    fallbacks = needed_fallbacks(plan, tuple(one.fidelity for one in made))
    if fallbacks:
        also = ", ".join(c.id for c in fallbacks)
        tell(Note(f"no int8 candidate is close enough to float; also building {also}"))
        more, broken = _all_that_can_be(fallbacks, asked, built, tell, budget)
        made += more
        plan = _without(replace(plan, candidates=(*plan.candidates, *fallbacks), fallbacks=()), broken)
    _require_gate(plan, tuple(one.fidelity for one in made), asked)
    return plan, tuple(made)


def _order(job: ConversionJob, model: Model, plan: Plan) -> Sequence[CandidatePlan]:
    """In which they are made: the plan's, unless time may end first."""
    if job.request.recipe != AUTO and job.request.time_budget is None:
        return plan.candidates
    return in_order_of_gain(plan.candidates, job.request.max_bytes, model.float_bytes // 4)


def _without_unlearned(plan: Plan, split: SampleSplit) -> Plan:
    """Without those of fewer bits, by --recipe auto, where there are too few samples to fit weights to."""
    from edgeq.quantize.passes.fit import require_samples

    fewer = [c for c in plan.candidates if c.weight_bits is not None and c.weight_bits < 8]
    if not fewer or split.calibration is None:
        return plan
    try:
        require_samples(split.calibration, min(c.weight_bits or 8 for c in fewer))
    except DataRefused as error:
        return _without(plan, {c.id: error.what for c in fewer})
    return plan


def _options(job: ConversionJob) -> "Options":
    from edgeq.quantize.options import Options

    return parsed(job.request, Options, threads=job.target.threads, cache=cache.of_samples())


def _tell_of(one: "Made", model: Model, split: SampleSplit, job: ConversionJob, tell: Tell) -> None:
    from edgeq.conversion.huge_values import huge_values

    tell(one.fidelity)
    if one.fidelity.quantized_nothing and one.fidelity.calibrator and split.calibration is not None:
        why = huge_values(split.calibration, model.inputs)
        if why:
            tell(Note(f"{one.plan.id}: {why}"))
    for other in one.all_of_it[1:]:
        tell(Note(f"{other.plan.id} is also raced: {other.plan.reason}", detail=True))
        tell(other.fidelity)
    _tell_of_bits(one, job, tell)
    _tell_of_chance(one, tell)
    if one.plan.pairs_saturate:
        _tell_of_saturation(one, job.target.name, tell)


def _tell_of_chance(one: "Made", tell: Tell) -> None:
    """Of a trained network, which may differ from float more than rounding does, where so few samples judged that its score says little."""
    score = one.fidelity.accuracy
    if one.plan.recipe != RECIPE or score is None or score.metric != "top-1":
        return
    wide = score.difference - score.low
    if wide > _WIDE:
        tell(
            Note(
                f"{one.plan.id}: {score.samples} samples tell its {score.metric} to ±{wide:.1f} points only, so it may lose that much; more samples, "
                "or --confidence 95, tell whether it does"
            )
        )


def _tell_of_bits(one: "Made", job: ConversionJob, tell: Tell) -> None:
    """Where weights have many more on average than was asked for."""
    asked = weight_bits_of(job.request.weight_bits)
    if asked >= 8 or one.plan.recipe != "int8_static":
        return
    layers = [layer for layer in layer_bits(one.path) if layer.integer]
    mean = sum(each.weight_bits * each.parameters for each in layers) / max(
        sum(e.parameters for e in layers), 1
    )
    if mean > asked + _NOTABLE_BITS:
        eight = (
            "layers of short rows, weights that layers share"
            if levels_of(job.request.levels) == UNIFORM
            else "first and last layers, short rows, weights that layers share"
        )
        tell(
            Note(
                f"{one.plan.id}: its integer weights have {mean:.1f} bits on average, not {asked:g}; {eight} keep 8 (edgeq explain names them)"
            )
        )


def _tell_of_saturation(one: "Made", target: str, tell: Tell) -> None:
    """Only a CPU that saturates, or its emulation, shows what a file loses by it that was quantized elsewhere."""
    from edgeq.graphs.ort_session import host_saturates
    from edgeq.quantize.passes.int16_saturation import saturating_pairs

    pairs = 0 if host_saturates() else sum(saturating_pairs(one.path).values())
    if pairs:
        what = f"{one.plan.id}: {pairs:,} pairs of weights can overflow 16 bits on {target}, which this host's CPU does not show"
        tell(
            Note(
                f"{what}: the figures are those of exact sums; edgeq verify BUNDLE --emulate x86-64 computes the target's"
            )
        )


def _all_that_can_be(
    candidates: Sequence[CandidatePlan],
    asked: str | None,
    built: "Callable[[CandidatePlan], Made]",
    tell: Tell,
    budget: TimeBudget,
) -> "tuple[list[Made], dict[str, str]]":
    """What was made, and by candidate why it was not. A converter that fails on one candidate affects no other; it is an
    error where the recipe that was asked for, or float itself, could be built for none of the runtimes.
    """
    made: list[Made] = []
    failed: list[tuple[CandidatePlan, ConversionFailed | ExtraMissing | RunTooLong]] = []
    late: dict[str, str] = {}
    for candidate in candidates:
        if why := budget.why_not(candidate):
            late[candidate.id] = why
            continue
        began = time.monotonic()
        try:
            one = built(candidate)
            made.append(one)
            budget.made(candidate, time.monotonic() - began, passed=one.fidelity.passed)
        except (ConversionFailed, ExtraMissing, RunTooLong) as error:
            failed.append((candidate, error))
    recipes = {one.plan.recipe for one in made}
    for candidate, failure in failed:
        if candidate.recipe in ("float", asked) and candidate.recipe not in recipes:
            raise failure
    broken = {candidate.id: _why(candidate, failure) for candidate, failure in failed}
    for what, why in broken.items():
        tell(Note(f"{what} was left out because it could not be built: {why}"))
    if late:
        tell(Note(f"not made, because --time-budget is over: {', '.join(late)}"))
    return made, {**{id: f"could not be built: {why}" for id, why in broken.items()}, **late}


def _not_built(candidate: CandidatePlan) -> str:
    return f"{candidate.id} could not be built"


def _remedy(candidate: CandidatePlan) -> str:
    """Where a library fails with its own message: options that avoid that code path."""
    if candidate.recipe.endswith("_static"):
        return "try --passes none or another --calibrator; or choose another --recipe or --runtime"
    return "choose another --recipe or --runtime"


def _why(candidate: CandidatePlan, error: ConversionFailed | ExtraMissing | RunTooLong) -> str:
    """The reason, for a message that says what could not be built."""
    what = () if error.what == _not_built(candidate) and error.details else (error.what,)
    why = ": ".join((*what, *error.details[:1]))
    return f"{why}; {error.remedy}" if error.remedy else why


def _with_others(plan: Plan, made: "list[Made]") -> Plan:
    """Each candidate is followed by those that were made from it."""
    others = {one.plan.id: tuple(other.plan for other in one.all_of_it[1:]) for one in made}
    return replace(plan, candidates=tuple(p for c in plan.candidates for p in (c, *others.get(c.id, ()))))


def _without(plan: Plan, broken: dict[str, str]) -> Plan:
    skipped = (Skipped(what, why) for what, why in broken.items())
    candidates = tuple(c for c in plan.candidates if c.id not in broken)
    return replace(plan, candidates=candidates, skipped=(*plan.skipped, *skipped))


def _require_gate(plan: Plan, judged: tuple[Fidelity, ...], asked: str | None) -> None:
    """That every quantized candidate failed is an error; one good candidate is enough.

    A recipe that found nothing to quantize counts as skipped, as in a plan, unless it was asked for.
    """
    recipes = {c.id: c.recipe for c in plan.candidates}
    skipped = {f.candidate for f in judged if f.quantized_nothing and asked is None}
    counted = [f for f in judged if f.candidate not in skipped] or list(judged)
    quantized = [f for f in counted if recipes[f.candidate] != "float"] or counted
    if any(f.passed for f in quantized):
        return
    worst = [
        f"{f.candidate}: {short_name(layer.layer)} ({words_of_db(layer.sqnr_db, 0)}, {layer.cause})"
        for f in quantized
        for layer in f.worst_layers[:3]
    ]
    why = [f"{f.candidate}: {f.why_failed}" for f in quantized]
    several = len(why) > 1
    raise GateFailed(
        f"none of {len(why)} quantized candidates is close enough to float" if several else why[0],
        gate_remedies(quantized),
        details=[*(why if several else ()), *(["worst layers:", *worst] if worst else ())],
    )
