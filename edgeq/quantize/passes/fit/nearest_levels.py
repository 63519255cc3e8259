"""Few levels whose steps are chosen by the weights alone, for layers whose steps cannot be chosen by their outputs: rows too long for
the moments of all their inputs, one scale for all rows, products that are no known matrix.

Steps are those of least squared error (numerics/best_scale.py): clipping the largest weights leaves more levels to all others.
"""

import numpy as np
import numpy.typing as npt

from edgeq.quantize.numerics.best_scale import rows as rows_along
from edgeq.quantize.numerics.best_scale import with_best_scale
from edgeq.quantize.passes.fit.gptq_rounding import Floats
from edgeq.quantize.passes.fit.short_code import level_range
from edgeq.quantize.weights import Weights

_ENOUGH = 4096  # weights of a row tell its step
_ENOUGH_IN_ALL = 2**18  # where all rows have one scale
_AT_ONCE = 2**19  # weights


def nearest_scale(weights: npt.ArrayLike, bits: float, axis: int | None) -> Floats:
    """Of 2^bits levels around zero: one for each index of `axis`, [n], or [1] for all. Raises DataRefused where weights are not finite."""
    rows = rows_along(weights, axis)
    enough = _ENOUGH if axis is not None else _ENOUGH_IN_ALL
    # Any regular step could meet a few places of a kernel alone.
    some = np.sort(np.random.default_rng(0).permutation(rows.shape[1])[:enough])
    q_min, q_max = level_range(bits)
    levels, size = np.arange(q_min, q_max + 1), max(_AT_ONCE // max(len(some), 1), 1)
    parts = (rows[start : start + size, some] for start in range(0, len(rows), size))
    return np.concatenate([with_best_scale(part, levels, 0).scale for part in parts]).astype(np.float64)


def rounded_to_nearest(
    weights: npt.NDArray[np.float32], bias: Floats | None, bits: float, axis: int | None
) -> Weights:
    """Int8 of the shape of `weights` on 2^bits levels; the bias stays, as nothing is known of the inputs."""
    scale = nearest_scale(weights, bits, axis)
    over = scale.reshape([-1 if i == axis else 1 for i in range(weights.ndim)])
    integers = np.clip(np.rint(weights / over), *level_range(bits)).astype(np.int8)
    return Weights(integers, scale, None if bias is None else bias.reshape(-1))
