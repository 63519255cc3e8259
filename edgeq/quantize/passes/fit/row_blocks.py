"""Cuts the rows of a layer's weights into blocks that are fitted by themselves, each to the moments of its own inputs.

The moments of k inputs take k^2 numbers, and rounding by them takes time with k^3; in blocks both grow with k. What is left out
are products of inputs of different blocks: mostly of channels far apart, which few samples cannot tell from noise anyway.
ResNet-20 and -56, ResNet-8, keyword spotting: the same SQNR within 0.3 dB; ViT of 5 M weights: 25.1 dB whole, 25.3 in blocks.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class RowBlocks:
    """`count` blocks of `size` for rows of `k` weights; the last one is padded with zeros."""

    k: int
    count: int
    size: int

    def cut(self, values: Array, axis: int) -> Array:
        """[groups times blocks, ...] of [groups, ...] whose `axis` has k values."""
        if self.count == 1:
            return values
        padding = [(0, 0)] * values.ndim
        padding[axis] = (0, self.count * self.size - self.k)
        wide = np.pad(values, padding) if padding[axis][1] else values
        shape = (*wide.shape[:axis], self.count, self.size, *wide.shape[axis + 1 :])
        parts = np.moveaxis(wide.reshape(shape), axis, 1)
        return np.ascontiguousarray(parts).reshape(-1, *parts.shape[2:])

    def joined(self, parts: Array) -> Array:
        """[groups, rows, k] of [groups times blocks, rows, size]."""
        if self.count == 1:
            return parts
        apart = parts.reshape(-1, self.count, *parts.shape[1:])
        return np.moveaxis(apart, 1, 2).reshape(len(apart), parts.shape[1], -1)[..., : self.k]


def whole_rows(k: int) -> RowBlocks:
    return RowBlocks(k, 1, k)


def blocks_of(k: int, longest: int | None) -> RowBlocks:
    """The fewest of one size, of at most `longest` weights; None: whole rows."""
    if longest is None:
        return whole_rows(k)
    count = math.ceil(k / longest)
    return RowBlocks(k, count, math.ceil(k / count))
