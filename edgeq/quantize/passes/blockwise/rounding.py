"""Rounds a matrix to blocks: each weight to nearest, or with the least error of the products (GPTQ).

Frantar et al., "GPTQ: accurate post-training quantization for generative pre-trained transformers", 2022: column by column,
and the columns still to come compensate the error of each. A block's scale and zero point are chosen when it is reached,
from its weights as they are then.
"""

import numpy as np
import numpy.typing as npt

from edgeq.quantize.numerics.blocks import Blocks, Doubles, grid_of, to_grid

_DAMPING = 0.01  # of the inputs' mean power, added to the diagonal, as in GPTQ


def round_to_nearest(weights: npt.NDArray[np.float32], bits: int, size: int) -> Blocks:
    """`weights` [rows, k]."""
    return _rounded(weights, None, bits, size)


def round_jointly(weights: npt.NDArray[np.float32], gram: Doubles, bits: int, size: int) -> Blocks:
    """`gram` [k, k] is E[x x'] of the inputs x."""
    power = max(float(np.trace(gram)) / len(gram), 1e-30)
    damped = gram + _DAMPING * power * np.identity(len(gram))
    return _rounded(weights, np.linalg.cholesky(np.linalg.inv(damped)).T, bits, size)


def _rounded(weights: npt.NDArray[np.float32], upper: Doubles | None, bits: int, size: int) -> Blocks:
    """`upper` is the Cholesky factor of the inverse of E[x x']; without it each weight is rounded to nearest."""
    left = weights.astype(np.float64)
    integers, scales, zeros = np.empty_like(left), [], []
    for start in range(0, left.shape[1], size):
        block = slice(start, min(start + size, left.shape[1]))
        scale, zero = grid_of(left[:, block], bits)
        if upper is None:
            integers[:, block] = to_grid(left[:, block], scale[:, None], zero[:, None], bits)
        else:
            integers[:, block] = _block(left, upper, block, scale, zero, bits)
        scales.append(scale)
        zeros.append(zero)
    return Blocks(
        integers.astype(np.uint8),
        np.stack(scales, axis=1).astype(np.float32),
        np.stack(zeros, axis=1).astype(np.uint8),
        bits,
        size,
    )


def _block(left: Doubles, upper: Doubles, block: slice, scale: Doubles, zero: Doubles, bits: int) -> Doubles:
    """The integers of one block; the columns of `left` from it on are changed in place."""
    found = np.empty((len(left), block.stop - block.start))
    errors = np.zeros_like(found)
    for j, k in enumerate(range(block.start, block.stop)):
        found[:, j] = to_grid(left[:, k], scale, zero, bits)
        errors[:, j] = (left[:, k] - (found[:, j] - zero) * scale) / upper[k, k]
        left[:, k + 1 : block.stop] -= np.outer(errors[:, j], upper[k, k + 1 : block.stop])
    left[:, block.stop :] -= errors @ upper[block, block.stop :]
    return found
