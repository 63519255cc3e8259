"""What to do to a model, in words; `edgeq/recipes/*.toml` holds them."""

from dataclasses import dataclass
from typing import Optional

from .record import Record

AUTO = "auto"  # in place of a name: all recipes, and the choice among them


@dataclass(frozen=True)
class Recipe(Record):
    """`method` is none, static, dynamic, blockwise, cast or trained; bits are those of storage and arithmetic."""

    name: str
    title: str
    method: str
    weight_bits: int
    activation_bits: int
    runtimes: tuple[str, ...]


def one_recipe(asked: Optional[str]) -> Optional[str]:
    """The recipe that was asked for; None where several may be built."""
    return None if asked == AUTO else asked
