"""Uniform integers of few bits, as levels: what the other kinds are compared with.

    levels = q_min .. q_max      error: half a step inside, the distance to the end outside

`uniform.py` has the arithmetic; here are the scales of least squared error, which clip: with 4 bits and fewer a range that
holds the largest weight leaves most levels to values that hardly occur.
"""

import numpy as np
import numpy.typing as npt

from edgeq.errors import TargetRefused
from edgeq.quantize.numerics.best_scale import with_best_scale
from edgeq.quantize.numerics.levels import Levels
from edgeq.quantize.numerics.uniform import Grid

_MOST_BITS = 8


def fitted(weights: npt.ArrayLike, bits: int, axis: int | None, *, narrow_range: bool = True) -> Levels:
    """Signed integers of 2 to 8 bits, without the lowest by default, with the scales of least squared error.

    Raises TargetRefused for other bits, and as `with_best_scale`.
    """
    if not 2 <= bits <= _MOST_BITS:
        raise TargetRefused(f"there are no {bits}-bit integers as levels", f"take 2 to {_MOST_BITS}")
    grid = Grid(bits, signed=True, narrow_range=narrow_range)
    return with_best_scale(weights, np.arange(grid.q_min, grid.q_max + 1), axis)
