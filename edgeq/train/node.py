"""A node of the graph as its operator sees it when the steps for an input shape are laid out: attributes, shapes, constants.

Shapes are those of one sample, as the graph states them; how a batch is laid out in memory is the business of forms.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from edgeq.errors import ModelRefused


@dataclass(frozen=True)
class Operand:
    """What a node reads. `batched`: differs from sample to sample. `fixed`: its value where that is known beforehand, by constants
    or by shapes. `element_type` of ONNX where the graph stores it, else 0.
    """

    name: str
    shape: tuple[int, ...]
    dtype: torch.dtype
    batched: bool = False
    fixed: torch.Tensor | None = None
    element_type: int = 0

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def in_front(self) -> bool:
        """A batch stands in the place of the sample's own first dimension, which is 1."""
        return self.batched and self.shape[:1] == (1,)


@dataclass(frozen=True)
class Node:
    """`inputs` has None where an optional one is absent. `outputs` are the names, "" for one that nobody asks for."""

    name: str
    operator: str
    opset: int
    attributes: Mapping[str, Any]
    inputs: tuple[Operand | None, ...]
    outputs: tuple[str, ...]

    def has(self, place: int) -> bool:
        return place < len(self.inputs) and self.inputs[place] is not None

    def operand(self, place: int) -> Operand:
        found = self.inputs[place] if place < len(self.inputs) else None
        if found is None:
            raise self.refused(f"lacks its input {place}", "check the file with onnx.checker")
        return found

    def ints(self, place: int) -> tuple[int, ...]:
        """The integers of an input that has to be known beforehand. Raises ModelRefused where it depends on the samples."""
        return tuple(int(v) for v in self.fixed(place).flatten().tolist())

    def floats(self, place: int) -> tuple[float, ...]:
        """As `ints`."""
        return tuple(float(v) for v in self.fixed(place).flatten().tolist())

    def fixed(self, place: int) -> torch.Tensor:
        """As `ints`, with its shape."""
        operand = self.operand(place)
        if operand.fixed is None:
            raise self.refused(
                f"takes {operand.name} from the samples, and a batch can only be computed where it is the same for all",
                "make it a constant of the graph",
            )
        return operand.fixed

    def plain(self, *places: int) -> None:
        """Raises ModelRefused where one of these inputs differs from sample to sample."""
        for place in places:
            if self.has(place) and self.operand(place).batched:
                raise self.refused(
                    f"takes {self.operand(place).name} from the samples, and trains only with the same for all",
                    "make it a constant or a weight of the graph",
                )

    def axis(self, default: int, place: int = 0, name: str = "axis") -> int:
        """The attribute, counted from the front of an input's shape."""
        return self.from_front(int(self.attributes.get(name, default)), self.operand(place).rank)

    def from_front(self, axis: int, rank: int) -> int:
        if not -max(rank, 1) <= axis < max(rank, 1):
            raise self.refused(f"has axis {axis} for {rank} dimensions", "check the file with onnx.checker")
        return axis + rank if axis < 0 else axis

    def text(self, name: str, default: str) -> str:
        value = self.attributes.get(name, default)
        return value.decode() if isinstance(value, bytes) else str(value)

    def only(self, count: int) -> None:
        """Raises ModelRefused where an output behind the first `count` is asked for."""
        if any(self.outputs[count:]):
            raise self.refused(
                f"gives {self.outputs[count:]}, which has no torch counterpart", "drop that output"
            )

    def refused(self, why: str, remedy: str) -> ModelRefused:
        return ModelRefused(f"{self.operator} {self.name} {why}", remedy)
