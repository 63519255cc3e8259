"""What to do to a model, in words; `edgeq/recipes/*.toml` holds them."""

from dataclasses import dataclass

from .record import Record


@dataclass(frozen=True)
class Recipe(Record):
    """`method` is none, static, dynamic, blockwise, cast or trained; bits are those of storage and arithmetic."""

    name: str
    title: str
    method: str
    weight_bits: int
    activation_bits: int
    runtimes: tuple[str, ...]
