"""Float's outputs on calibration samples, as calibration saw them: passes compare with these and run float no second time."""

from collections.abc import Sequence
from dataclasses import dataclass

from edgeq.quantize.samples import Array, SamplesLike, Subset

MOST_BYTES = 64 * 2**20  # of all samples; larger outputs are not kept


@dataclass(frozen=True, eq=False)
class FloatOutputs:
    """The values of `tensors`, of the first of the `samples`: one tuple of arrays for each."""

    samples: SamplesLike
    tensors: tuple[str, ...]
    values: tuple[tuple[Array, ...], ...]

    def of(self, tensors: Sequence[str], some: Subset) -> tuple[tuple[Array, ...], ...] | None:
        """Those of some samples; None where these tensors, or one of these samples, were not seen."""
        seen = some.samples is self.samples and tuple(tensors) == self.tensors
        if not seen or max(some.positions, default=0) >= len(self.values):
            return None
        return tuple(self.values[position] for position in some.positions)
