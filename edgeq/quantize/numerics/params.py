"""What turns a tensor into numbers of a grid and back: x = scale (q - zero_point).

The noun only. How a scale is chosen is `choose.py`'s, how it is applied `to_grid.py`'s.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgeq.errors import ModelRefused
from edgeq.quantize.numerics.granularity import PER_TENSOR, Granularity
from edgeq.quantize.numerics.grid import Grid

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Params:
    """`scale` (float32, the value of one step) and `zero_point` (int32, the number that stands for 0), of one shape.

    Which values each pair rules is `granularity`'s. Raises ModelRefused for a scale that is no positive number, and
    for a zero point that is not on the grid, with which zero would not be exact.
    """

    scale: Floats
    zero_point: Ints
    grid: Grid
    granularity: Granularity = PER_TENSOR

    def __post_init__(self) -> None:
        object.__setattr__(self, "scale", np.asarray(self.scale, np.float32))
        object.__setattr__(self, "zero_point", np.asarray(self.zero_point, np.int32))
        if self.scale.shape != self.zero_point.shape:
            raise ModelRefused(
                f"scales of shape {list(self.scale.shape)}, zero points of {list(self.zero_point.shape)}"
            )
        if not np.all(np.isfinite(self.scale) & (self.scale > 0)):
            raise ModelRefused("a scale is not a positive number", "quantize the tensor again")
        if np.any((self.zero_point < self.grid.q_min) | (self.zero_point > self.grid.q_max)):
            raise ModelRefused(
                f"a zero point is outside {self.grid.q_min}..{self.grid.q_max}", "quantize the tensor again"
            )

    def limits(self) -> tuple[Floats, Floats]:
        """The smallest and the largest value that each scale can represent: scale (q_min - zero_point), .. q_max .."""
        low, high = self.grid.q_min - self.zero_point, self.grid.q_max - self.zero_point
        return low.astype(np.float32) * self.scale, high.astype(np.float32) * self.scale

    def over(self, shape: tuple[int, ...]) -> tuple[Floats, Ints]:
        """Scale and zero point in shapes that broadcast against a tensor of `shape`."""
        spread = self.granularity.spread
        return spread(self.scale, shape), spread(self.zero_point, shape)
