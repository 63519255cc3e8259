"""What turns a tensor into whole numbers and back, x = scale (q - zero_point): nouns, no arithmetic.

    Grid          the whole numbers a value may become: how many bits, with or without sign, with or without the lowest one
    Granularity   which values share a scale: all, those of one channel, or those of one block
    Params        the scales and zero points of a tensor

Blocks are those of ONNX's QuantizeLinear-21 with `block_size`: runs along one axis, the last of which may be short. How a
scale is chosen and applied is in to_grid.py.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.errors import ModelRefused, TargetRefused

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]

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


@dataclass(frozen=True)
class Granularity:
    """Without `axis` one scale for the tensor; with it one for each index; with `block_size` one for each run of it.

    The scales of a tensor of shape [d0, .., di, .., dn] have shape [], [di], or [d0, .., ceil(di / block_size), .., dn].
    A negative axis counts from the end.
    """

    axis: int | None = None
    block_size: int | None = None

    def __post_init__(self) -> None:
        if self.block_size is not None and (self.axis is None or self.block_size < 1):
            raise ModelRefused(
                f"blocks of {self.block_size} along axis {self.axis}", "give an axis and a size of 1 or more"
            )

    def scales_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of the scales of a tensor of `shape`. Raises ModelRefused where it has no such axis."""
        if self.axis is None:
            return ()
        axis = self._axis_of(shape)
        if self.block_size is None:
            return (shape[axis],)
        return (*shape[:axis], -(-shape[axis] // self.block_size), *shape[axis + 1 :])

    def spread(self, values: Array, shape: tuple[int, ...]) -> Array:
        """`values`, one for each scale, in a shape that broadcasts against a tensor of `shape`.

        Raises ModelRefused when there are not as many as `scales_shape` says.
        """
        if values.shape != self.scales_shape(shape):
            raise ModelRefused(
                f"scales of shape {list(values.shape)} for a tensor of shape {list(shape)}",
                f"one that is quantized so has scales of shape {list(self.scales_shape(shape))}",
            )
        if self.axis is None:
            return values
        axis = self._axis_of(shape)
        if self.block_size is None:
            return values.reshape([-1 if i == axis else 1 for i in range(len(shape))])
        return np.repeat(values, self.block_size, axis=axis)[(slice(None),) * axis + (slice(shape[axis]),)]

    def extremes(self, x: Array) -> tuple[Array, Array]:
        """The smallest and the largest value under each scale, zero among them: every scheme here holds zero."""
        low, high = (self._reduced(x, of) for of in (np.minimum, np.maximum))
        return np.minimum(low, 0), np.maximum(high, 0)

    def _reduced(self, x: Array, of: np.ufunc) -> Array:
        if self.axis is None:
            return np.asarray(of.reduce(x, axis=None, initial=0))
        axis = self._axis_of(x.shape)
        if self.block_size is None:
            others = tuple(i for i in range(x.ndim) if i != axis)
            return np.asarray(of.reduce(x, axis=others, initial=0))
        return np.asarray(of.reduceat(x, np.arange(0, x.shape[axis], self.block_size), axis=axis))

    def _axis_of(self, shape: tuple[int, ...]) -> int:
        assert self.axis is not None
        if not -len(shape) <= self.axis < len(shape):
            raise ModelRefused(f"a tensor of shape {list(shape)} has no axis {self.axis} to quantize along")
        return self.axis % len(shape)


PER_TENSOR = Granularity()


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
