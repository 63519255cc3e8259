"""Quantized weights of a layer, as passes choose them and backends store them.

Blocks are a matrix on grids of a few bits, one for each block of a row: x = scale (q - zero), q from 0 to 2^bits - 1. The
layout of https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.MatMulNBits.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.quantize.numerics import INT8, Granularity, dequantize_linear, quantize, symmetric

Doubles = npt.NDArray[np.float64]
Bytes = npt.NDArray[np.uint8]

# Of a block's range: few levels are better spent on the many than on the largest.
_SHRINKS = np.linspace(1.0, 0.5, 11)


@dataclass(frozen=True)
class Weights:
    """Of a fitted layer: `integers` int8 in the file's shape (LiteRT: outputs, inputs, kernel), `scale` one per row or one
    for all, `bias` dequantized, None where it has none to set.
    """

    integers: npt.NDArray[np.int8]
    scale: npt.NDArray[np.floating[Any]]
    bias: npt.NDArray[np.floating[Any]] | None


@dataclass(frozen=True, eq=False)
class Blocks:
    """`integers` uint8 [rows, k], `scales` float32 and `zeros` uint8 [rows, ceil(k / size)]."""

    integers: Bytes
    scales: npt.NDArray[np.float32]
    zeros: Bytes
    bits: int
    size: int

    def values(self) -> npt.NDArray[np.float32]:
        """[rows, k], as the kernel has them."""
        spread, shape = Granularity(1, self.size).spread, self.integers.shape
        return dequantize_linear(self.integers, spread(self.scales, shape), spread(self.zeros, shape))

    def packed(self) -> tuple[Bytes, Bytes]:
        """Integers [rows, blocks, bytes of a block] and zero points [rows * bytes of a row], lowest bits first."""
        rows, k = self.integers.shape
        blocks = self.scales.shape[1]
        full = np.repeat(self.zeros, self.size, axis=1)  # what stands past the end of a row stands for zero
        full[:, :k] = self.integers
        return self._together(full).reshape(rows, blocks, -1), self._together(self.zeros).reshape(-1)

    def _together(self, numbers: Bytes) -> Bytes:
        """As many to a byte as fit, along the last axis."""
        each = 8 // self.bits
        whole = np.pad(numbers, [(0, 0), (0, -numbers.shape[1] % each)])
        places = [whole[:, k::each] << (k * self.bits) for k in range(each)]
        return np.asarray(np.bitwise_or.reduce(places), np.uint8)


def int8_by_row(values: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
    """int8 of the same shape, and scales that broadcast against it."""
    rows = values.reshape(-1, values.shape[-1])
    each = Granularity(axis=0)
    params = symmetric(*each.extremes(rows), INT8, each)
    return quantize(rows, params).reshape(values.shape), params.scale.reshape(*values.shape[:-1], 1)


def in_blocks(
    values: Doubles, bits: int, size: int, rounded: Callable[[slice, Doubles, Doubles], Doubles]
) -> Blocks:
    """`values` [rows, k] block after block: `rounded` gives the integers of one, its columns, scales and zero points given.
    What it changes in the columns still to come is what these are rounded from.
    """
    integers, scales, zeros = np.empty_like(values), [], []
    for start in range(0, values.shape[1], size):
        block = slice(start, min(start + size, values.shape[1]))
        scale, zero = grid_of(values[:, block], bits)
        integers[:, block] = rounded(block, scale, zero)
        scales.append(scale)
        zeros.append(zero)
    return Blocks(
        integers.astype(np.uint8),
        np.stack(scales, axis=1).astype(np.float32),
        np.stack(zeros, axis=1).astype(np.uint8),
        bits,
        size,
    )


def round_to_nearest(weights: npt.NDArray[np.float32], bits: int, size: int) -> Blocks:
    """`weights` [rows, k]."""
    values = weights.astype(np.float64)
    return in_blocks(
        values,
        bits,
        size,
        lambda block, scale, zero: to_grid(values[:, block], scale[:, None], zero[:, None], bits),
    )


def grid_of(block: Doubles, bits: int) -> tuple[Doubles, Doubles]:
    """(scale, zero point) for each row of `block` [rows, up to size]: affine, and of shrunken ranges the one with the
    least squared error. With 8 bits the whole range is kept.
    """
    low, high = np.minimum(block.min(axis=1), 0), np.maximum(block.max(axis=1), 0)
    shrinks = _SHRINKS if bits < 8 else _SHRINKS[:1]
    grids = [_affine(low * s, high * s, bits) for s in shrinks]
    errors = np.stack([_error(block, scale, zero, bits) for scale, zero in grids])
    best = errors.argmin(axis=0)
    rows = np.arange(len(block))
    scales, zeros = (np.stack(part)[best, rows] for part in zip(*grids, strict=True))
    return scales, zeros


def to_grid(values: Doubles, scale: Doubles, zero: Doubles, bits: int) -> Doubles:
    """The nearest numbers; `scale` and `zero` broadcast against `values`."""
    return np.asarray(np.clip(np.round(values / scale) + zero, 0, 2**bits - 1), np.float64)


def _affine(low: Doubles, high: Doubles, bits: int) -> tuple[Doubles, Doubles]:
    steps = 2**bits - 1
    scale = np.where(high > low, (high - low) / steps, 1.0).astype(np.float32).astype(np.float64)
    scale = np.maximum(scale, np.finfo(np.float32).tiny)
    return scale, np.clip(np.round(-low / scale), 0, steps)


def _error(block: Doubles, scale: Doubles, zero: Doubles, bits: int) -> Doubles:
    scale, zero = scale[:, None], zero[:, None]
    back = (to_grid(block, scale, zero, bits) - zero) * scale
    return np.asarray(np.sum(np.square(back - block), axis=1))
