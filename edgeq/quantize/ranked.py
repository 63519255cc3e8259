"""A candidate of a plan with the rank of its expected speed: a lower one is expected to be faster."""

from edgeq.nouns.plan import CandidatePlan
from edgeq.nouns.recipe import Recipe
from edgeq.nouns.target import FORMATS


def ranked(recipe: Recipe, runtime: str, rank: int, reason: str) -> tuple[int, CandidatePlan]:
    """LiteRT goes before onnxruntime at the same recipe: it was the faster on every network measured so far."""
    rank = 2 * rank + (runtime == "onnxruntime")
    return rank, CandidatePlan(f"{runtime}-{recipe.name}", runtime, recipe.name, FORMATS[runtime], reason)
