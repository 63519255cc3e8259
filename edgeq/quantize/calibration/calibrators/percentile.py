"""The range of the middle 99.999 % of the values: 5e-6 of them are clipped at each end."""

import numpy as np

from edgeq.quantize.calibration.tensor_stats import Range, TensorStats

NEEDS_HISTOGRAM = True
_INSIDE = 0.99999


def range_of(stats: TensorStats, levels: int) -> Range:
    assert stats.bins is not None
    low, high = stats.extremes
    if not stats.half_range:
        return low, high
    share = np.cumsum(stats.bins) / stats.bins.sum()
    tail = (1.0 - _INSIDE) / 2
    first = int(np.searchsorted(share, tail, side="right"))
    last = int(np.searchsorted(share, 1.0 - tail, side="left"))
    width = 2 * stats.half_range / len(stats.bins)
    return max(low, first * width - stats.half_range), min(high, (last + 1) * width - stats.half_range)
