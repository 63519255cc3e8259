"""convert(): a trained model and samples become a bundle, every candidate judged against float."""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgeq import catalog
from edgeq.bundle import require_destination
from edgeq.conversion import bundle_parts, cache, formats
from edgeq.conversion.conversion_job import ConversionJob, conversion_job
from edgeq.conversion.data_use import data_use, divide, gate_of, split_samples
from edgeq.conversion.effort_spent import Clock, effort_spent
from edgeq.conversion.finetuning import require_possible, to_be_trained, trains, with_training
from edgeq.conversion.finished import read_conversion, tell_again
from edgeq.conversion.finite_float_outputs import require_finite_outputs
from edgeq.conversion.make_candidates import make_candidates
from edgeq.conversion.plan_candidates import plan_candidates, weight_bits_for
from edgeq.conversion.state_feedback import with_state_feedback
from edgeq.conversion.time_budget import TimeBudget
from edgeq.conversion.trained_network import trained_sha256
from edgeq.conversion.unused_weights import unused_weights
from edgeq.deliver.runtimes import this_machine
from edgeq.errors import DataRefused
from edgeq.limited.limits import free_memory
from edgeq.nouns.progress import Note, Progress, Started
from edgeq.nouns.recipe import AUTO
from edgeq.nouns.results import Conversion
from edgeq.nouns.target import Target
from edgeq.nouns.tradeoff import CostLimits, Tradeoff
from edgeq.request.accepts import accepts
from edgeq.request.conversion_options import effort_of
from edgeq.request.duration import seconds_of
from edgeq.request.finetune_rules import require_finetunable
from edgeq.request.paths import text
from edgeq.request.requests import ConvertRequest
from edgeq.request.tell import Tell, shares, timed
from edgeq.request.time_left import TimeLeft
from edgeq.user_code import require_file

if TYPE_CHECKING:  # numpy, onnx and the rest are imported when there is something to convert
    from edgeq.conversion.early_checks import EarlyChecks
    from edgeq.conversion.open_float_model import TorchModel
    from edgeq.conversion.sample_source import SampleSource
    from edgeq.quantize.evaluate.gate import Gate
    from edgeq.quantize.made import Made


@accepts(ConvertRequest)
def convert(request: ConvertRequest) -> Conversion:
    """Convert, quantize and judge a model for a target, and write the bundle.

    Target `local` is filled in from this machine. What was converted before from the same input is not converted again.
    Raises BundleRefused before anything else where `output` cannot be written, then ModelRefused, DataRefused,
    TargetRefused, ExtraMissing, ConversionFailed, and GateFailed where no quantized candidate is close enough to float.
    """
    began, tell = Clock.now(), request.tell
    if request.output is not None:
        require_destination(Path(request.output))
    require_finetunable(request.model, request)
    target, unavailable = _target(request)
    if request.search_seconds is not None:
        tell(Note("--search-seconds has no effect: --search-tries limits the search"))
    for note in unused_weights(text(request.model) or "", request.weights):
        tell(note)
    loads = formats.loadable(target, request.runtime, unavailable)
    trained = trained_sha256(Path(request.weights) if request.weights is not None else None)
    converters = formats.converters(
        text(request.model) or "", loads, trained=bool(trained) or bool(request.finetune)
    )
    job = replace(conversion_job(request, target, unavailable, converters), trained=trained)
    weight_bits_for(job)
    require_possible(job)
    if job.gates.metric is not None:
        require_file(job.gates.metric, DataRefused)
    from edgeq.conversion.early_checks import EarlyChecks
    from edgeq.conversion.expected_steps import OPEN, steps_after_check, steps_before_opening
    from edgeq.conversion.open_float_model import torch_model
    from edgeq.conversion.sample_source import SampleSource
    from edgeq.ingest.preprocess import parse_optional

    times = TimeLeft(steps_before_opening(job))
    tell = timed(tell, times)
    if not job.is_torch_code:
        tell(Progress(OPEN, 0, None, ""))
    samples = SampleSource(
        job.data,
        parse_optional(request.preprocess),
        lambda opened: split_samples(opened, job, trains=False).heldout,
    )
    checks = EarlyChecks(
        job,
        samples,
        tell,
        deferred=job.is_torch_code,
        opened=lambda count: times.plan(steps_after_check(job, count)),
    )
    torch = torch_model(job, samples, checks, tell)
    if torch is not None:
        job = replace(job, built=torch.built.sha256)
    place = _place(job)
    reused = cache.holds(job, place)
    if not reused:
        place, reused = _build(job, torch, samples, checks, tell, times, began)
    conversion = read_conversion(place, began.wall, reused)
    if reused:
        tell_again(conversion, "unchanged input: the earlier conversion is reused", tell)
    elif conversion.between_runtimes is not None:
        tell(conversion.between_runtimes)
    return conversion


def _target(request: ConvertRequest) -> tuple[Target, Mapping[str, str]]:
    """The kind of device, `local` filled in, and the runtimes that cannot be had there, each with the reason."""
    target, unavailable = request.target, request.unavailable or {}
    kind = target if isinstance(target, Target) else catalog.target(target)
    if kind.detect:
        kind, unavailable = this_machine(kind, text(request.model) or "", request.runtime)
    catalog.require_runtime(kind, request.runtime)
    formats.require_converter(request.model or "", formats.loadable(kind, request.runtime, unavailable))
    return kind, unavailable


def _place(job: ConversionJob) -> Path:
    return cache.place(job) if job.request.output is None else Path(job.request.output)


def _build(
    job: ConversionJob,
    torch: "TorchModel | None",
    samples: "SampleSource",
    checks: "EarlyChecks",
    tell: Tell,
    times: TimeLeft,
    began: Clock,
) -> tuple[Path, bool]:
    """Open, plan, make, judge, write; nothing stands at the place that is returned unless all of it went well. True: it
    stood there before, made by the same job with the same converters: one that could not be had leaves its candidates
    out, and what was made without them is not what is made with them.
    """
    from edgeq.conversion.expected_steps import BUNDLE, steps_of
    from edgeq.conversion.memory_needed import memory_needed, memory_note
    from edgeq.conversion.open_float_model import open_float_model
    from edgeq.quantize.evaluate.judge import float_reference

    with tempfile.TemporaryDirectory(prefix="edgeq-") as folder:
        work = Path(folder)
        if torch is not None:
            checks.report()
        model = open_float_model(job, torch, samples, checks, work, tell)
        built = "" if torch is None else model.sha256
        wanted = job.converters
        job = replace(job, converters=formats.built_converters(wanted), built=built)
        model = replace(model, source=job.shown or model.source)
        place = _place(job)
        if cache.holds(job, place):
            return place, True
        tell(Started("conversion"))
        tell(model)
        plan = plan_candidates(job, model, to_be_trained(job, model, tell))
        tell(plan)
        if (note := memory_note(memory_needed(model), free_memory())) is not None:
            tell(note)
        split = divide(samples.fitting(model.inputs), model, job, trains=trains(job, plan))
        split = with_state_feedback(split, model, job)
        times.plan(steps_of(job, model, plan, split))
        threads = job.target.threads
        progress = shares(tell, times=times)
        reference = float_reference(
            model, split.heldout, work, threads=threads, cache=cache.of_samples(), progress=progress
        )
        unanswered = require_finite_outputs(job, model, split, reference.outputs, progress)
        gate = gate_of(job.gates, refuses=job.request.refuse)
        use = data_use(job, gate, model, split, reference)
        use = replace(use, warnings=(*unanswered, *use.warnings))
        tell(use)
        use = replace(use, warnings=(*checks.warnings, *use.warnings))
        if job.epochs:
            model, plan = with_training(job, model, plan, split, work, tell, times, began.wall)
            use = use if model.networks else replace(use, train=0, validate=0)
            job = replace(job, converters=formats.built_converters(wanted))
            place = _place(job)
        budget = TimeBudget(began.wall, seconds_of(job.request.time_budget))
        plan, made = make_candidates(job, model, plan, split, gate, work, tell, times, budget)
        found = _tradeoff(job, made, gate, progress)
        progress(BUNDLE, 0.0)
        bundle_parts.write(place, job, model, plan, use, made, split, samples.preprocessing, found)
        judged = tuple(one.fidelity for one in made)
        tell(effort_spent(effort_of(job.request.effort), judged, began, Clock.now()))
    return place, False


def _tradeoff(
    job: ConversionJob, made: "tuple[Made, ...]", gate: "Gate", progress: Callable[[str, float], None]
) -> Tradeoff | None:
    """None where neither the best is to be chosen nor a limit was given. Raises GateFailed where no candidate keeps the limits."""
    from edgeq.conversion.standings import standings
    from edgeq.quantize.evaluate.gate import limit_below_one_sample
    from edgeq.report.tradeoff import require_within

    limits, auto = CostLimits(job.request.max_latency_ms, job.request.max_bytes), job.request.recipe == AUTO
    if not (auto or limits.any) or not job.request.refuse:
        return None
    few = any(m.fidelity.accuracy and limit_below_one_sample(gate, m.fidelity.accuracy.samples) for m in made)
    found = standings(made, limits, auto=auto, scored=not few, progress=progress)
    require_within(found)
    return found
