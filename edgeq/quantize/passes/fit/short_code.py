"""Few levels of which an entropy coder makes little: steps for each row by error and entropy together.

A row's error falls by 6 dB for each bit of entropy (Gish and Pierce, "Asymptotically efficient quantizing", 1968), so rows are
compared by log2 of the error's root plus the entropy, in bits a weight. Levels beyond what the largest weights need cost such a
code nothing, so the largest weight is on one, and steps are tried from there: cutting off large weights, which is best where each level
takes the same number of bits, is not.
"""

import numpy as np
import numpy.typing as npt

from edgeq.quantize.passes.fit.gptq_rounding import Floats, gptq_rounded, output_error

_STEPS = np.linspace(1.4, 0.5, 10)  # times the one at which the largest weight is the largest level
_SMALLEST = 1e-12


def short_levels(target: Floats, gram: Floats, bits: float) -> tuple[Floats, Floats]:
    """Integers of 2^bits levels, which need be no whole power, around zero, and scales of each row of `target` [groups, rows, k], whose products have the
    moments `gram`. Scales have 8 bits of precision, so that half of their bytes are zero: what is rounded to them knows them.
    """
    q_min, q_max = level_range(bits)
    largest = np.abs(target).max(axis=-1) / q_max
    integers, scales = np.zeros_like(target), np.ones(target.shape[:-1])
    least = np.full(scales.shape, np.inf)
    for step in _STEPS:
        scale = short_scale(np.maximum(largest * step, _SMALLEST))
        found = gptq_rounded(target, gram, scale, q_min, q_max)
        error = output_error(target, found, gram, scale)
        cost = 0.5 * np.log2(np.maximum(error, np.finfo(np.float64).tiny)) + _entropy(found, q_min, q_max)
        better = cost < least
        integers[better], scales[better], least[better] = found[better], scale[better], cost[better]
    return integers, scales


def level_range(bits: float) -> tuple[int, int]:
    """The lowest and the highest of about 2^bits integers around zero, four at least."""
    q_max = max(round(2 ** (bits - 1)) - 1, 1)
    return -q_max - 1, q_max


def short_scale(scale: Floats) -> Floats:
    """To the nearest float32 of 8 significant bits (bfloat16)."""
    bits = np.asarray(scale, np.float32).view(np.uint32)
    short: npt.NDArray[np.float32] = ((bits + 0x8000) & 0xFFFF0000).astype(np.uint32).view(np.float32)
    return short.astype(np.float64)


def _entropy(levels: Floats, q_min: int, q_max: int) -> Floats:
    """Bits a weight of each row, by how often it has each level."""
    found = np.zeros(levels.shape[:-1])
    for level in range(q_min, q_max + 1):
        share = np.mean(levels == level, axis=-1)
        found -= share * np.log2(np.where(share > 0, share, 1.0))
    return found
