"""The range that holds all but a hundred-thousandth of the values, half of the rest on either side."""

import numpy as np

from edgeq.quantize.calibration.tensor_stats import Range, TensorStats

HISTOGRAM = True
_INSIDE = 0.99999


def range_of(stats: TensorStats, levels: int) -> Range:
    assert stats.bins is not None
    low, high = stats.extremes
    if not stats.limit:
        return low, high
    share = np.cumsum(stats.bins) / stats.bins.sum()
    tail = (1.0 - _INSIDE) / 2
    first = int(np.searchsorted(share, tail, side="right"))
    last = int(np.searchsorted(share, 1.0 - tail, side="left"))
    width = 2 * stats.limit / len(stats.bins)
    return max(low, first * width - stats.limit), min(high, (last + 1) * width - stats.limit)
