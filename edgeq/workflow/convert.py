"""convert(): a trained model and samples become a bundle, every candidate judged against float."""

import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgeq import catalog
from edgeq.bundle import require_destination
from edgeq.conversion import bundle_parts, cache, formats
from edgeq.conversion.data_use import divide, gate_of, settle_use, split_as_ordered
from edgeq.conversion.finished import read_conversion, tell_again
from edgeq.conversion.finite_float_outputs import require_finite_outputs
from edgeq.conversion.make_candidates import make_candidates
from edgeq.conversion.order import Order, order_of
from edgeq.conversion.state_feedback import with_state_feedback
from edgeq.conversion.unused_weights import unused_weights
from edgeq.deliver.runtimes import this_machine
from edgeq.errors import DataRefused
from edgeq.nouns.model import Model
from edgeq.nouns.plan import Plan
from edgeq.nouns.progress import Note, Progress, Started
from edgeq.nouns.results import Conversion
from edgeq.nouns.target import Target
from edgeq.request.paths import text
from edgeq.request.requests import ConvertRequest
from edgeq.request.takes import takes
from edgeq.request.tell import Tell, shares
from edgeq.user_code import require_file

if TYPE_CHECKING:  # numpy, onnx and the rest are imported when there is something to convert
    from edgeq.conversion.early_checks import EarlyChecks
    from edgeq.conversion.ordered_samples import OrderedSamples
    from edgeq.ingest.pytorch.traced import Program


@takes(ConvertRequest)
def convert(asked: ConvertRequest) -> Conversion:
    """Convert, quantize and judge a model for a target, and write the bundle.

    Target `local` is filled in from this machine. What was converted before from the same input is not converted again.
    Raises BundleRefused before anything else where `output` cannot be written, then ModelRefused, DataRefused,
    TargetRefused, ExtraMissing, ConversionFailed, and GateFailed where no quantized candidate is close enough to float.
    """
    start, tell = time.monotonic(), asked.tell
    if asked.output is not None:
        require_destination(Path(asked.output))
    target, unavailable = _target(asked)
    if asked.search_seconds is not None:
        tell(Note("--search-seconds has no effect: --search-tries limits the search"))
    for note in unused_weights(text(asked.model) or "", asked.weights):
        tell(note)
    loads = formats.loaded(target, asked.runtime, unavailable)
    order = order_of(asked, target, unavailable, formats.converters(text(asked.model) or "", loads))
    if order.gates.metric is not None:
        require_file(order.gates.metric, DataRefused)
    opening = "trace the model (torch.export)" if order.is_torch_code else "open the model"
    tell(Progress(opening, 0, None, ""))
    from edgeq.conversion.early_checks import EarlyChecks
    from edgeq.conversion.open_float_model import traced_program
    from edgeq.conversion.ordered_samples import OrderedSamples
    from edgeq.ingest.preprocess import parse_optional

    samples = OrderedSamples(
        order.data, parse_optional(asked.preprocess), lambda opened: split_as_ordered(opened, order).heldout
    )
    checks = EarlyChecks(order, samples, tell, later=order.is_torch_code)
    program = traced_program(order, samples, checks)
    if program is not None:
        order = replace(order, built=program.sha256)
    place = _place(order)
    reused = cache.holds(order, place)
    if not reused:
        place, reused = _build(order, program, samples, checks, tell)
    conversion = read_conversion(place, start, reused)
    if reused:
        tell_again(conversion, "unchanged input: the earlier conversion is reused", tell)
    elif conversion.between_runtimes is not None:
        tell(conversion.between_runtimes)
    return conversion


def _target(asked: ConvertRequest) -> tuple[Target, Mapping[str, str]]:
    """The kind of device, `local` filled in, and the runtimes that cannot be had there, each with the reason."""
    target, unavailable = asked.target, asked.unavailable or {}
    kind = target if isinstance(target, Target) else catalog.target(target)
    if kind.detect:
        kind, unavailable = this_machine(kind, text(asked.model) or "", asked.runtime)
    catalog.require_runtime(kind, asked.runtime)
    formats.require_converter(asked.model or "", formats.loaded(kind, asked.runtime, unavailable))
    return kind, unavailable


def _place(order: Order) -> Path:
    return cache.place(order) if order.asked.output is None else Path(order.asked.output)


def _build(
    order: Order, program: "Program | None", samples: "OrderedSamples", checks: "EarlyChecks", tell: Tell
) -> tuple[Path, bool]:
    """Open, plan, make, judge, write; nothing stands at the place that is returned unless all of it went well. True: it
    stood there before, made by the same order with the same converters: one that could not be had leaves its candidates
    out, and what was made without them is not what is made with them.
    """
    from edgeq.conversion.open_float_model import open_float_model
    from edgeq.quantize.evaluate.judge import float_reference

    with tempfile.TemporaryDirectory(prefix="edgeq-") as folder:
        work = Path(folder)
        if program is not None:
            checks.report()
        model = open_float_model(order, program, samples, checks, work, tell)
        model = replace(model, source=order.shown or model.source)
        order = replace(order, converters=formats.had(order.converters))
        place = _place(order)
        if cache.holds(order, place):
            return place, True
        tell(Started("conversion"))
        tell(model)
        plan = _plan(order, model)
        tell(plan)
        parts = with_state_feedback(divide(samples.fitting(model.inputs), model, order), model, order)
        threads = order.target.threads
        reference = float_reference(model, parts.heldout, work, threads=threads, progress=shares(tell))
        unanswered = require_finite_outputs(order, model, parts, reference.outputs, tell)
        gate = gate_of(order.gates, refuses=order.asked.refuse)
        use = settle_use(order, gate, model, parts, reference)
        use = replace(use, warnings=(*unanswered, *use.warnings))
        tell(use)
        use = replace(use, warnings=(*checks.warnings, *use.warnings))
        plan, made = make_candidates(order, model, plan, parts, gate, work, tell)
        bundle_parts.write(place, order, model, plan, use, made, parts, samples.preprocessing)
    return place, False


def _plan(order: Order, model: Model) -> Plan:
    from edgeq.quantize.plan import make_plan

    return make_plan(
        model,
        order.target,
        tuple(catalog.recipe(name) for name in catalog.recipe_names()),
        has_data=order.data is not None,
        recipe=order.asked.recipe,
        runtime=order.asked.runtime,
        unavailable=order.unavailable,
        integer_io=bool(order.asked.integer_io),
    )
