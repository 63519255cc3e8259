"""What torch.export made of a module, with the outputs to compare conversions with."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edgeq.errors import ConversionFailed
from edgeq.ingest.graph.trial import run, same, same_values

if TYPE_CHECKING:
    from onnx import ModelProto
    from torch import Tensor
    from torch.export import ExportedProgram

Tensors = tuple["Tensor", ...]


@dataclass(frozen=True)
class Program:
    """`sha256` is that of the operators and the weights. `expected` are the outputs for `inputs`, as arrays."""

    exported: "ExportedProgram"
    inputs: Tensors
    expected: list[np.ndarray]
    sha256: str
    notes: tuple[str, ...]

    @property
    def arrays(self) -> tuple[np.ndarray, ...]:
        return tuple(t.numpy() for t in self.inputs)

    def refuse_difference(self, name: str, graph: "ModelProto") -> None:
        """Raises ConversionFailed when the converted graph answers otherwise than torch did."""
        feed = {v.name: a for v, a in zip(graph.graph.input, self.arrays, strict=True)}
        self._refuse(name, same(self.expected, run(graph, feed)))

    def refuse_other_values(self, name: str, outputs: Sequence[np.ndarray]) -> None:
        """As `refuse_difference` for outputs that may be narrower than torch's."""
        self._refuse(name, same_values(self.expected, outputs))

    def _refuse(self, name: str, equal: bool) -> None:
        if not equal:
            raise ConversionFailed(
                f"the {name} that torch was converted to differs from torch on the same input",
                "the converter is at fault; try another torch version",
            )
