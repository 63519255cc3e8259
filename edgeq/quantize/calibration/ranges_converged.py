"""When calibration has seen enough: the second half of its samples moved no range.

After 128 samples, 256, 512 and so on, the ends of all ranges are held against those after half as many: the extremes,
and where a histogram is kept those of the percentile too. When none of them moved by more than 2 % of its tensor's width,
which is 0.17 dB of rounding, the samples that are left are not run. Half, because extremes come in bursts: on MNIST
64 samples in a row moved nothing, twice, and the next ones moved ends by 7 %.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from edgeq.quantize.calibration.observers import percentile
from edgeq.quantize.calibration.tensor_stats import Seen

_LEAST = 64  # samples to be held against
_TOLERANCE = 0.02  # of the width

Ends = npt.NDArray[np.float64]


def is_checked(samples: int) -> bool:
    """Whether the ends are looked at after so many samples."""
    return samples >= _LEAST and samples & (samples - 1) == 0


def ends(seen: Mapping[str, Seen]) -> Ends:
    """[tensors, low and high of one or two ranges]; what may move is compared between calls."""
    return np.array(
        [
            (*s.extremes, *(percentile.range_of(s, 0) if s.bins is not None and s.count else s.extremes))
            for s in seen.values()
        ]
    )


def stand_still(before: Ends, after: Ends) -> bool:
    """Whether no end moved by more than the tolerance; a tensor that was not there before did."""
    if before.shape != after.shape:
        return False
    width = after[:, 1:2] - after[:, 0:1]
    return bool(np.all(np.abs(after - before) <= _TOLERANCE * width))
