"""Opens the float model of an order. What a torch factory builds is traced first: no file tells what that is."""

from dataclasses import replace
from pathlib import Path

from edgeq.conversion import cache, formats
from edgeq.conversion.early_checks import EarlyChecks
from edgeq.conversion.order import Order
from edgeq.conversion.ordered_samples import OrderedSamples
from edgeq.ingest.open_model import open_model
from edgeq.ingest.pytorch.program import open_program
from edgeq.ingest.pytorch.traced import Program
from edgeq.ingest.request import Request
from edgeq.nouns.model import Model
from edgeq.nouns.progress import Progress
from edgeq.request.tell import Tell


def traced_program(order: Order, samples: OrderedSamples, checks: EarlyChecks) -> Program | None:
    """None for a model in a file."""
    return open_program(_request(order, samples, checks, Path())) if order.is_torch_code else None


def open_float_model(
    order: Order,
    program: Program | None,
    samples: OrderedSamples,
    checks: EarlyChecks,
    work: Path,
    tell: Tell,
) -> Model:
    """The clean float model; the samples determine its open dimensions, and whether it can be opened."""
    model = open_model(
        replace(
            _request(order, samples, checks, work),
            formats=formats.loaded(order.target, order.asked.runtime, order.unavailable),
            program=program,
            cache=cache.folder(),
            say=lambda text: tell(Progress(text, 0, None, "")),
        )
    )
    samples.fitting(model.inputs)  # refuses what does not fit
    return model


def _request(order: Order, samples: OrderedSamples, checks: EarlyChecks, work: Path) -> Request:
    return Request(
        order.model,
        work,
        order.name,
        order.weights,
        order.shapes,
        example=samples.first(),
        survey=samples.survey,
        module=order.module,
        look=checks.look,
    )
