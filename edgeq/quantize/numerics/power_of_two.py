"""Additive powers of two (APoT): levels that are sums of powers of two, denser around zero, where most weights are.

    magnitudes = {p + q : p in P, q in Q}      levels = +- magnitudes

with the sets of Li et al., "Additive powers-of-two quantization", ICLR 2020, arXiv:1909.13144, section 2.2, one bit for the
sign. As multiples of the smallest power, which is how a device multiplies with two shifts and an addition:

    2 bits   P = {0, 1}            Q = {0}      0 1                     3 levels
    3 bits   P = {0, 4, 2, 1}      Q = {0}      0 1 2 4                 7
    4 bits   P = {0, 8, 4, 1}      Q = {0, 2}   0 1 2 3 4 6 8 10       15

All of them are int8 integers, so their expansion is exact. The largest gap is that below the largest level: 1, 2 and 2 of
1, 4 and 10, so the error inside of the range is at most 1/2, 1/4 and 1/10 of its end. Uniform levels have 1/2, 1/6 and 1/14.
"""

import numpy as np
import numpy.typing as npt

from edgeq.errors import TargetRefused
from edgeq.quantize.numerics.best_scale import with_best_scale
from edgeq.quantize.numerics.levels import Levels
from edgeq.quantize.numerics.uniform import Floats

_SETS: dict[int, tuple[tuple[int, ...], tuple[int, ...]]] = {
    2: ((0, 1), (0,)),
    3: ((0, 1, 2, 4), (0,)),
    4: ((0, 1, 4, 8), (0, 2)),
}


def power_of_two_levels(bits: int) -> Floats:
    """Whole numbers in ascending order. Raises TargetRefused where the paper's sets are of other bits."""
    if bits not in _SETS:
        known = ", ".join(str(b) for b in _SETS)
        raise TargetRefused(f"there are no powers of two of {bits} bits", f"take {known}")
    first, second = _SETS[bits]
    magnitudes = np.unique([p + q for p in first for q in second])
    return np.concatenate([-magnitudes[:0:-1], magnitudes]).astype(np.float32)


def fitted(weights: npt.ArrayLike, bits: int, axis: int | None) -> Levels:
    """With the scales of least squared error. Raises as `power_of_two_levels` and `with_best_scale`."""
    return with_best_scale(weights, power_of_two_levels(bits), axis)
