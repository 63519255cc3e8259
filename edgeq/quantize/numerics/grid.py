"""The whole numbers a value may become: how many bits, with or without sign, with or without the lowest one.

This file knows no scales and no tensors.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from edgeq.errors import TargetRefused

MOST_BITS = 16


@dataclass(frozen=True)
class Grid:
    """`bits` from 1 to 16. `narrow_range` leaves out the lowest number: int8 becomes -127..127, uint8 1..255.

    Weights without -128 let a kernel add two int8 products in 16 bits (Jacob et al., "Quantization and training of
    neural networks for efficient integer-arithmetic-only inference", CVPR 2018, appendix B); LiteRT requires them.
    Raises TargetRefused for a grid that has fewer than two numbers or more than 16 bits.
    """

    bits: int
    signed: bool
    narrow_range: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= MOST_BITS:
            raise TargetRefused(f"there is no grid of {self.bits} bits", f"take 1 to {MOST_BITS}")
        if self.bits == 1 and self.narrow_range:
            raise TargetRefused(
                "a narrow grid of 1 bit has a single number", "take 2 bits, or the full range"
            )

    @property
    def q_min(self) -> int:
        return (-(1 << (self.bits - 1)) if self.signed else 0) + self.narrow_range

    @property
    def q_max(self) -> int:
        return (1 << (self.bits - self.signed)) - 1

    @property
    def steps(self) -> int:
        """Steps from the lowest number to the highest: one less than there are numbers."""
        return self.q_max - self.q_min

    @property
    def centre(self) -> int:
        """Zero's place when the scheme is symmetric: 0 with sign, the upper middle (128 of uint8) without."""
        return 0 if self.signed else 1 << (self.bits - 1)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The smallest numpy type that holds it; numpy has none below 8 bits."""
        width = 8 if self.bits <= 8 else 16
        return np.dtype(f"{'int' if self.signed else 'uint'}{width}")


INT4, UINT4 = Grid(4, signed=True), Grid(4, signed=False)
INT8, UINT8 = Grid(8, signed=True), Grid(8, signed=False)
INT16, UINT16 = Grid(16, signed=True), Grid(16, signed=False)
NARROW_INT8 = Grid(8, signed=True, narrow_range=True)
