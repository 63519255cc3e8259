"""convert(): a trained model and samples become a bundle, every candidate judged against float."""

import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from edgeq import catalog
from edgeq.bundle import read_bundle, read_fidelity, read_noun, require_destination
from edgeq.conversion import bundle_parts, cache, formats
from edgeq.conversion.cross_runtime_agreement import cross_runtime_agreement
from edgeq.conversion.data_use import divide, settle_use
from edgeq.conversion.finite_float_outputs import require_finite_outputs
from edgeq.conversion.make_candidates import make_candidates
from edgeq.conversion.state_feedback import with_state_feedback
from edgeq.conversion.unused_weights import unused_weights
from edgeq.deliver.runtimes import this_machine
from edgeq.errors import DataRefused, TargetRefused
from edgeq.ingest.given_model import GivenModel
from edgeq.model_name import model_name
from edgeq.nouns.data import DataUse
from edgeq.nouns.model import Model
from edgeq.nouns.plan import Plan
from edgeq.nouns.progress import Note, Progress, Started
from edgeq.nouns.project import Gates
from edgeq.nouns.repairs import repairs_of
from edgeq.nouns.results import Conversion
from edgeq.nouns.states import states_of
from edgeq.nouns.target import Target
from edgeq.request.paths import text, text_or_given
from edgeq.request.requests import ConvertRequest, Shapes
from edgeq.request.takes import takes
from edgeq.request.tell import Tell
from edgeq.user_code import names_code, require_file

if TYPE_CHECKING:  # numpy, onnx and the rest are imported when there is something to convert
    import numpy as np

    from edgeq.conversion.early_checks import EarlyChecks
    from edgeq.conversion.ordered_samples import OrderedSamples
    from edgeq.ingest.pytorch.program import Program
    from edgeq.nouns.tensor import Preprocessing
    from edgeq.quantize.evaluate.gate import Gate


@takes(ConvertRequest)
def convert(asked: ConvertRequest) -> Conversion:
    """Convert, quantize and judge a model for a target, and write the bundle.

    Target `local` is filled in from this machine. What was converted before from the same input is not converted again.
    Raises BundleRefused before anything else where `output` cannot be written, then ModelRefused, DataRefused,
    TargetRefused, ExtraMissing, ConversionFailed, and GateFailed where no quantized candidate is close enough to float.
    """
    start = time.monotonic()
    model, tell, target, unavailable = text(asked.model) or "", asked.tell, asked.target, asked.unavailable
    wanted = None if asked.output is None else Path(asked.output)
    if wanted is not None:
        require_destination(wanted)
    kind = target if isinstance(target, Target) else catalog.target(target)
    if kind.detect:
        kind, unavailable = this_machine(kind, model, asked.runtime)
    catalog.require_runtime(kind, asked.runtime)
    formats.require_converter(asked.model or "", formats.loaded(kind, asked.runtime, unavailable or {}))
    if asked.search_seconds is not None:
        tell(Note("--search-seconds has no effect: --search-tries limits the search"))
    for note in unused_weights(model, asked.weights):
        tell(note)
    order = _order(asked, model, kind, unavailable or {})
    if order.gates.metric is not None:
        require_file(order.gates.metric, DataRefused)
    tell(Progress(_opening(order), 0, None, ""))
    from edgeq.conversion.early_checks import EarlyChecks
    from edgeq.conversion.ordered_samples import OrderedSamples

    samples = OrderedSamples(order, _preprocessing(order))
    checks = EarlyChecks(order, samples, tell, later=_is_module(order))
    program = _built(order, checks)
    if program is not None:
        order = replace(order, built=program.sha256)
    place = wanted or cache.place(order)
    reused = cache.holds(order, place)
    if not reused:
        place, reused = _build(order, program, samples, checks, wanted, tell)
    conversion = _read(place, start, reused)
    if reused:
        _retell(conversion, "unchanged input: the earlier conversion is reused", tell)
    elif conversion.between_runtimes is not None:
        tell(conversion.between_runtimes)
    return conversion


def _order(asked: ConvertRequest, model: str, target: Target, unavailable: Mapping[str, str]) -> cache.Order:
    return cache.Order(
        model=model,
        target=replace(target, threads=asked.threads or target.threads),
        data=text_or_given(asked.data),
        preprocess=asked.preprocess,
        name=asked.name or model_name(model),
        weights=text(asked.weights),
        module=asked.model.module if isinstance(asked.model, GivenModel) else None,
        shown=str(asked.model) if isinstance(asked.model, GivenModel) else "",
        shapes=dict(cast(Shapes, asked.shape or {})),
        calibrate=asked.calibrate,
        calibrator=asked.calibrator or "auto",
        recipe=asked.recipe,
        runtime=asked.runtime,
        gates=asked.gates or Gates(),
        unavailable=dict(unavailable),
        converters=formats.converters(model, formats.loaded(target, asked.runtime, unavailable)),
        repairs=_passes(asked.passes),
        integer_io=bool(asked.integer_io),
        states=_states(asked.states),
        search_tries=asked.search_tries,
        refuse=asked.refuse,
    )


def _passes(text: str | None) -> tuple[str, ...]:
    try:
        return repairs_of(text or "all")
    except ValueError as error:
        raise TargetRefused(str(error), "leave out `passes` to use all of them") from None


def _states(text: str | None) -> tuple[tuple[str, str], ...] | None:
    try:
        return states_of(text)
    except ValueError as error:
        raise TargetRefused(
            f"states: {error}", "leave out `states` to detect them from the samples"
        ) from None


def _is_module(order: cache.Order) -> bool:
    """A torch factory, or what a Python program built."""
    return order.module is not None or names_code(order.model)


def _opening(order: cache.Order) -> str:
    return "trace the model (torch.export)" if _is_module(order) else "open the model"


def _built(order: cache.Order, checks: "EarlyChecks") -> "Program | None":
    """What a torch factory builds now: no file tells, since its code may import and read anything."""
    from edgeq.ingest.pytorch.program import open_program
    from edgeq.ingest.request import Request

    if not _is_module(order):
        return None
    weights = Path(order.weights) if order.weights else None
    return open_program(
        Request(
            order.model,
            Path(),
            order.name,
            weights,
            order.shapes,
            example=_example(order),
            module=order.module,
            look=checks.look,
        )
    )


def _build(
    order: cache.Order,
    program: "Program | None",
    samples: "OrderedSamples",
    checks: "EarlyChecks",
    output: Path | None,
    tell: Tell,
) -> tuple[Path, bool]:
    """Open, plan, make, judge, write; nothing stands at the place that is returned unless all of it went well. True: it
    stood there before, made by the same order with the same converters: one that could not be had leaves its candidates
    out, and what was made without them is not what is made with them.
    """
    from edgeq.quantize.plan import make_plan

    with tempfile.TemporaryDirectory(prefix="edgeq-") as folder:
        work = Path(folder)
        if program is not None:
            checks.report()
        model = _open(order, program, samples, checks, work, tell)
        model = replace(model, source=order.shown or model.source)
        order = replace(order, converters=formats.had(order.converters))
        place = output or cache.place(order)
        if cache.holds(order, place):
            return place, True
        tell(Started("conversion"))
        tell(model)
        plan = make_plan(
            model,
            order.target,
            tuple(catalog.recipe(name) for name in catalog.recipe_names()),
            has_data=order.data is not None,
            recipe=order.recipe,
            runtime=order.runtime,
            unavailable=order.unavailable,
            integer_io=order.integer_io,
        )
        tell(plan)
        parts = with_state_feedback(divide(samples.fitting(model.inputs), model, order), model, order)
        unanswered = require_finite_outputs(order, model, parts, work, tell)
        gate = _gate(order)
        use = settle_use(order, gate, model, parts, work, tell)
        use = replace(use, warnings=(*unanswered, *use.warnings))
        tell(use)
        use = replace(use, warnings=(*checks.warnings, *use.warnings))
        plan, made = make_candidates(order, model, plan, parts, gate, work, tell)
        bundle_parts.write(place, order, model, plan, use, made, parts, samples.preprocessing)
    return place, False


def _gate(order: cache.Order) -> "Gate":
    from edgeq.quantize.evaluate.gate import Gate

    limits = {key: value for key, value in order.gates.to_dict().items() if value is not None}
    return Gate(**limits, refuses=order.refuse)


def _open(
    order: cache.Order,
    program: "Program | None",
    samples: "OrderedSamples",
    checks: "EarlyChecks",
    work: Path,
    tell: Tell,
) -> Model:
    """The clean float model; what the samples look like settles what the model leaves open, and whether it is opened."""
    from edgeq.ingest.open_model import open_model

    model: Model = open_model(
        order.model,
        workdir=work,
        name=order.name,
        weights=Path(order.weights) if order.weights else None,
        shapes=order.shapes,
        formats=formats.loaded(order.target, order.runtime, order.unavailable),
        example=_example(order),
        program=program,
        cache=cache.folder(),
        say=_said_while_opening(tell),
        survey=samples.survey,
        look=checks.look,
    )
    samples.fitting(model.inputs)  # refuses what does not fit
    return model


def _said_while_opening(tell: Tell) -> Callable[[str], None]:
    def say(text: str) -> None:
        tell(Progress(text, 0, None, ""))

    return say


def _preprocessing(order: cache.Order) -> "Preprocessing | None":
    from edgeq.ingest.preprocess import given

    return given(order.preprocess)


def _example(order: cache.Order) -> "tuple[np.ndarray, ...] | None":
    """The first sample."""
    from edgeq.ingest.samples import peek

    return peek(order.data, _preprocessing(order)) if order.data is not None else None


def open_conversion(place: Path, tell: Tell) -> Conversion:
    """A finished bundle with everything that was found out when it was made."""
    start = time.monotonic()
    conversion = _read(place, start, reused=True)
    _retell(conversion, f"{place} is a finished bundle: nothing was converted", tell)
    return conversion


def _read(place: Path, start: float, reused: bool) -> Conversion:
    bundle = read_bundle(place)
    return Conversion(
        path=place,
        bundle=bundle,
        model=read_noun(bundle, bundle_parts.MODEL, Model),
        plan=read_noun(bundle, bundle_parts.PLAN, Plan),
        fidelity=read_fidelity(bundle),
        seconds=time.monotonic() - start,
        reused=reused,
        data=read_noun(bundle, bundle_parts.DATA, DataUse),
        between_runtimes=cross_runtime_agreement(bundle),
    )


def _retell(conversion: Conversion, why: str, tell: Tell) -> None:
    """What was found out then, without the time that it took then."""
    tell(Note(why, detail=True))
    judged = (replace(fidelity, seconds=0.0) for fidelity in conversion.fidelity)
    for noun in (conversion.model, conversion.plan, conversion.data, *judged, conversion.between_runtimes):
        if noun is not None:
            tell(noun)
