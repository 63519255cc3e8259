"""Integer types, granularity and quantization parameters, with the arithmetic of the runtimes, bit for bit.

    Grid          an integer type of 1 to 16 bits: with or without sign, with or without its lowest number
    Granularity   which values share a scale: all, those of one channel, or those of one block
    QuantParams   the scales and zero points of a tensor

    q = clip(round(x / S) + Z, q_min, q_max)      x' = S (q - Z)

as QuantizeLinear and DequantizeLinear do: https://onnx.ai/onnx/operators/onnx__QuantizeLinear.html. Blocks are those of
QuantizeLinear-21 with `block_size`: runs along one axis, the last of which may be short. Bit for bit what onnxruntime's CPU
kernels give (MLAS: divps, cvtps2dq; NEON: fdiv, fcvtns), halves to even: it divides in float32 on purpose, which lands on
halves that are none in float64. LiteRT differs there (tests/quantize/numerics/reference.py).

A scale is computed in float64 and rounded to float32 once, as runtimes read it; zero points follow from the rounded scale.
Zero is always exact: padding, ReLU and absent values depend on it. Numpy only; nothing here knows models or files.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.errors import DataRefused, ModelRefused, TargetRefused

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]

MOST_BITS = 16
# A subnormal scale is zero to a CPU that flushes subnormals, and its reciprocal, which XNNPACK multiplies with, may be
# infinite. Ranges below it are held to a coarser step, of 1e-38; one above it is clipped at float32's end.
_SMALLEST = float(np.finfo(np.float32).tiny)
_LARGEST = float(np.finfo(np.float32).max)


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
class QuantParams:
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

    def over(self, shape: tuple[int, ...]) -> tuple[Floats, Ints]:
        """Scale and zero point in shapes that broadcast against a tensor of `shape`."""
        spread = self.granularity.spread
        return spread(self.scale, shape), spread(self.zero_point, shape)


def affine(
    low: npt.ArrayLike, high: npt.ArrayLike, grid: Grid, granularity: Granularity = PER_TENSOR
) -> QuantParams:
    """S = (max(high, 0) - min(low, 0)) / (q_max - q_min), Z = clip(round(q_min - min(low, 0) / S), q_min, q_max).

    Jacob et al., "Quantization and training of neural networks for efficient integer-arithmetic-only inference", CVPR
    2018, sections 2.1 and 3 (the zero point is nudged onto the grid). Halves round to even. Every value of the range
    comes back within S / 2, its ends too. `low` and `high` have one value for each scale; an empty range [0, 0] gets
    S = 1. Raises DataRefused for ends that are not finite or in the wrong order.
    """
    least, most = _range(low, high)
    scale = _scale((most - least) / grid.steps)
    zero = np.clip(np.rint(grid.q_min - least / scale), grid.q_min, grid.q_max)
    return QuantParams(scale, zero.astype(np.int32), grid, granularity)


def symmetric(
    low: npt.ArrayLike, high: npt.ArrayLike, grid: Grid, granularity: Granularity = PER_TENSOR
) -> QuantParams:
    """S = max(-min(low, 0) / (Z - q_min), max(high, 0) / (q_max - Z)), Z = 0 (unsigned: the upper middle, 128 of uint8).

    Krishnamoorthi, "Quantizing deep convolutional networks for efficient inference", 2018, section 2.2. On a narrow
    grid both sides have as many steps and this is max(|low|, |high|) / q_max. On a full one the negative side has a
    step more, which is used: the finest scale that clips nothing. Raises as `affine`, and TargetRefused for a grid of
    1 bit, which has no number above zero.
    """
    if grid.bits == 1:
        raise TargetRefused(
            "1 bit cannot be symmetric: zero and one side use it up", "take affine, or 2 bits"
        )
    least, most = _range(low, high)
    scale = _scale(np.maximum(-least / (grid.centre - grid.q_min), most / (grid.q_max - grid.centre)))
    return QuantParams(scale, np.full(scale.shape, grid.centre, np.int32), grid, granularity)


def _range(low: npt.ArrayLike, high: npt.ArrayLike) -> tuple[Doubles, Doubles]:
    """The range, widened until zero is in it."""
    least, most = np.asarray(low, np.float64), np.asarray(high, np.float64)
    if not (np.all(np.isfinite(least)) and np.all(np.isfinite(most))):
        raise DataRefused(
            "a range to quantize ends in inf or nan",
            "look for overflow in the model or in the samples: their float outputs are not finite either",
        )
    if np.any(least > most):
        raise DataRefused(f"a range to quantize starts above its end: {_first(least, most)}")
    return np.minimum(least, 0.0), np.maximum(most, 0.0)


def _first(least: Doubles, most: Doubles) -> str:
    wrong = np.argmax(np.ravel(least > most))
    return f"{np.ravel(least)[wrong]:g} > {np.ravel(most)[wrong]:g}"


def _scale(step: Any) -> npt.NDArray[np.float32]:
    kept = np.clip(step, _SMALLEST, _LARGEST)
    return np.asarray(np.where(np.asarray(step) == 0, 1.0, kept), np.float32)


def quantize(x: npt.ArrayLike, params: QuantParams) -> Array:
    """Numbers of the grid, in its dtype and x's shape. Infinities saturate; nan becomes q_min, as in onnxruntime.

    Raises ModelRefused when the scales do not fit x's shape.
    """
    values = np.asarray(x, np.float32)
    scale, _ = params.over(values.shape)
    with np.errstate(over="ignore", invalid="ignore"):
        steps = np.rint(values / scale)
    return on_grid(steps, params)


def on_grid(steps: Floats, params: QuantParams) -> Array:
    """Whole `steps` from zero as numbers of the grid."""
    _, zero = params.over(steps.shape)
    grid = params.grid
    # fmax before fmin: of nan and a number it takes the number.
    inside = np.fmin(np.fmax(steps, _float(grid.q_min - zero)), _float(grid.q_max - zero))
    return np.asarray((inside.astype(np.int32) + zero).astype(grid.dtype))


def dequantize(q: npt.ArrayLike, params: QuantParams) -> Floats:
    """float32 values of q's shape. Raises as `quantize`."""
    numbers = np.asarray(q)
    return dequantize_linear(numbers, *params.over(numbers.shape))


def dequantize_linear(
    q: Array, scale: npt.ArrayLike, zero_point: npt.ArrayLike = 0, axis: int | None = None
) -> Floats:
    """scale (q - zero_point) of stored integers of up to 16 bits, in float32 with one rounding, of the product.

    With `axis`, scales and zero points are one for each of its indices; else they broadcast against q.
    """
    scales, zeros = np.asarray(scale, np.float32), np.asarray(zero_point, np.int32)
    if axis is not None and scales.size > 1:
        along = [-1 if k == axis % q.ndim else 1 for k in range(q.ndim)]
        scales, zeros = scales.reshape(along), zeros.reshape(along) if zeros.ndim else zeros
    return np.asarray(_float(q.astype(np.int32) - zeros) * scales, np.float32)


def round_trip(x: npt.ArrayLike, params: QuantParams) -> Floats:
    """x as it comes back from the grid."""
    return dequantize(quantize(x, params), params)


def _float(numbers: Array) -> Floats:
    """Exact: a difference of two numbers of a 16-bit grid has 17 bits of float32's 24."""
    return numbers.astype(np.float32)
