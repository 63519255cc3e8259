"""The plan of a conversion, of its request and its model."""

from typing import TYPE_CHECKING

from edgeq import catalog
from edgeq.conversion.conversion_job import ConversionJob
from edgeq.errors import TargetRefused
from edgeq.nouns.model import Model
from edgeq.nouns.passes import passes_of
from edgeq.nouns.plan import Plan
from edgeq.request.conversion_options import weight_bits_of

if TYPE_CHECKING:
    from edgeq.quantize.trained_candidate import TrainedNetwork


def plan_candidates(job: ConversionJob, model: Model, network: "TrainedNetwork | None" = None) -> Plan:
    """`network`: the trained one that there will be; default: the model's own. Raises as quantize/plan.py."""
    from edgeq.quantize.plan import make_plan

    return make_plan(
        model,
        job.target,
        tuple(catalog.recipe(name) for name in catalog.recipe_names()),
        has_data=job.data is not None,
        recipe=job.request.recipe,
        runtime=job.request.runtime,
        unavailable=job.unavailable,
        integer_io=bool(job.request.integer_io),
        weight_bits=_weight_bits(job),
        network=network,
    )


def _weight_bits(job: ConversionJob) -> float:
    """Raises TargetRefused where the pass that makes fewer levels is switched off."""
    bits = weight_bits_of(job.request.weight_bits)
    if bits < 8 and "fit" not in passes_of(job.request.passes):
        raise TargetRefused(
            f"--weight-bits {bits:g} is the work of the pass `fit`, which --passes {job.request.passes} leaves out",
            "leave out one of them",
        )
    return bits
