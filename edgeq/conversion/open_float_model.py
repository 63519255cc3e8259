"""Opens the float model of an order. What a torch factory builds is traced first: no file tells what that is."""

from pathlib import Path
from typing import TYPE_CHECKING

from edgeq.conversion import cache, formats
from edgeq.conversion.early_checks import EarlyChecks
from edgeq.conversion.order import Order
from edgeq.conversion.ordered_samples import OrderedSamples
from edgeq.ingest.open_model import open_model
from edgeq.ingest.pytorch.program import open_program
from edgeq.ingest.pytorch.traced import Program
from edgeq.ingest.request import Request
from edgeq.ingest.samples import peek
from edgeq.nouns.model import Model
from edgeq.nouns.progress import Progress
from edgeq.request.tell import Tell

if TYPE_CHECKING:
    import numpy as np


def traced_program(order: Order, samples: OrderedSamples, checks: EarlyChecks) -> Program | None:
    """None for a model in a file."""
    if not order.is_torch_code:
        return None
    return open_program(
        Request(
            order.model,
            Path(),
            order.name,
            order.weights,
            order.shapes,
            example=_first_sample(order, samples),
            module=order.module,
            look=checks.look,
        )
    )


def open_float_model(
    order: Order,
    program: Program | None,
    samples: OrderedSamples,
    checks: EarlyChecks,
    work: Path,
    tell: Tell,
) -> Model:
    """The clean float model; the samples determine its open dimensions, and whether it can be opened."""
    model: Model = open_model(
        order.model,
        workdir=work,
        name=order.name,
        weights=order.weights,
        shapes=order.shapes,
        formats=formats.loaded(order.target, order.asked.runtime, order.unavailable),
        example=_first_sample(order, samples),
        program=program,
        cache=cache.folder(),
        say=lambda text: tell(Progress(text, 0, None, "")),
        survey=samples.survey,
        look=checks.look,
    )
    samples.fitting(model.inputs)  # refuses what does not fit
    return model


def _first_sample(order: Order, samples: OrderedSamples) -> "tuple[np.ndarray, ...] | None":
    return peek(order.data, samples.preprocessing) if order.data is not None else None
