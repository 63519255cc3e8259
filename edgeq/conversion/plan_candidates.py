"""The plan of a conversion, of its request and its model."""

from typing import TYPE_CHECKING

from edgeq import catalog
from edgeq.conversion.conversion_job import ConversionJob
from edgeq.errors import TargetRefused
from edgeq.nouns.model import Model
from edgeq.nouns.passes import passes_of
from edgeq.nouns.plan import Plan
from edgeq.nouns.recipe import AUTO, one_recipe
from edgeq.nouns.weight_levels import UNIFORM, levels_of
from edgeq.request.conversion_options import weight_bits_of

if TYPE_CHECKING:
    from edgeq.quantize.trained_candidate import TrainedNetwork


def plan_candidates(
    job: ConversionJob, model: Model, networks: "tuple[TrainedNetwork, ...] | None" = None
) -> Plan:
    """`networks`: the trained ones that there will be; default: the model's own. Raises as quantize/plan.py."""
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
        weight_bits=weight_bits_for(job),
        levels=levels_of(job.request.levels),
        networks=networks,
        why_not_fewer=_why_not_fewer(job),
    )


def weight_bits_for(job: ConversionJob) -> float:
    """On average, of static int8. Raises TargetRefused where the pass that makes fewer levels is switched off, where no candidate has any,
    and where several numbers of bits are tried and nothing is trained with this one.
    """
    recipe, kind = job.request.recipe, levels_of(job.request.levels)
    asked = f"--weight-bits {weight_bits_of(job.request.weight_bits):g}"
    if recipe == AUTO and job.request.weight_bits is not None and not job.epochs:
        raise TargetRefused(
            f"--recipe auto tries several numbers of bits, and {asked if kind == UNIFORM else f'--levels {kind}'} asks for one",
            "leave out one of them",
        )
    bits = weight_bits_of(job.request.weight_bits)
    if kind != UNIFORM and one_recipe(recipe) is not None and not str(recipe).endswith("_static"):
        raise TargetRefused(
            f"--levels {kind} is for static int8, which --recipe {recipe} leaves out",
            "leave out one of them, or take --recipe int8_static",
        )
    if bits < 8 and "fit" not in passes_of(job.request.passes):
        raise TargetRefused(
            f"--weight-bits {bits:g} is the work of the pass `fit`, which --passes {job.request.passes} leaves out",
            "leave out one of them",
        )
    return bits


def _why_not_fewer(job: ConversionJob) -> str:
    """Why --recipe auto tries no fewer bits; empty where it does."""
    passes = job.request.passes
    return "" if "fit" in passes_of(passes) else f"--passes {passes} leaves out `fit`"
