"""When calibration has seen enough: the ends of all ranges stand still.

Every 64 samples, from 128 on, the ends are held against those 64 samples before: the extremes, and where a histogram is
kept those of the percentile too. When none of them moved by more than 2 % of its tensor's width, which is 0.17 dB of
rounding, the samples that are left would change little and are not run.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from edgeq.quantize.observers import percentile
from edgeq.quantize.observers.seen import Seen

WINDOW = 64
LEAST = 2 * WINDOW
_TOLERANCE = 0.02  # of the width

Ends = npt.NDArray[np.float64]


def ends(seen: Mapping[str, Seen]) -> Ends:
    """[tensors, low and high of one or two ranges]; what may move is compared between calls."""
    return np.array(
        [
            (*s.extremes, *(percentile.range_of(s, 0) if s.bins is not None and s.count else s.extremes))
            for s in seen.values()
        ]
    )


def stand_still(before: Ends, after: Ends) -> bool:
    """Whether no end moved by more than the tolerance; a tensor that got its first values did."""
    width = after[:, 1:2] - after[:, 0:1]
    return bool(np.all(np.abs(after - before) <= _TOLERANCE * width))
