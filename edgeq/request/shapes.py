"""Shapes that fix a model's open dimensions."""

from collections.abc import Mapping
from numbers import Integral
from typing import Any

Shapes = Mapping[str, tuple[int, ...]]
PLAIN = ""  # in place of a name: a shape that does not say of which input it is


def shapes_of(shape: Shapes | tuple[Any, ...] | None) -> dict[str, tuple[int, ...]]:
    """By input name; the command line gives (name, shape) pairs. Raises ValueError for a dimension that is none."""
    if isinstance(shape, tuple) and shape and all(isinstance(n, Integral) for n in shape):
        shape = {PLAIN: shape}
    return {name: _dimensions(name, dims) for name, dims in dict(shape or {}).items()}


def _dimensions(name: str, dims: object) -> tuple[int, ...]:
    found = tuple(dims) if isinstance(dims, (tuple, list)) else ()
    if not found or any(isinstance(n, bool) or not isinstance(n, Integral) or n < 1 for n in found):
        where = f"{name}: " if name else ""
        raise ValueError(f"{where}{dims!r} has a dimension that is no whole number above 0, or none")
    return tuple(int(n) for n in found)
