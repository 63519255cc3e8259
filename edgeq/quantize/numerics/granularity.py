"""How many scales a tensor has, and which of its values each one rules: one, one per channel, one per block.

This file knows shapes only. Blocks are those of ONNX's QuantizeLinear-21 with `block_size`: runs along one axis, the
last of which may be short.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.errors import ModelRefused

Array = npt.NDArray[Any]


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
