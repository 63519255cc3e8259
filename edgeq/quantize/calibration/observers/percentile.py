"""The range that holds all but a hundred-thousandth of the values, half of the rest on either side."""

import numpy as np

from edgeq.quantize.calibration.tensor_stats import Range, Seen

HISTOGRAM = True
_INSIDE = 0.99999


def range_of(seen: Seen, levels: int) -> Range:
    assert seen.bins is not None
    low, high = seen.extremes
    if not seen.limit:
        return low, high
    share = np.cumsum(seen.bins) / seen.bins.sum()
    tail = (1.0 - _INSIDE) / 2
    first = int(np.searchsorted(share, tail, side="right"))
    last = int(np.searchsorted(share, 1.0 - tail, side="left"))
    width = 2 * seen.limit / len(seen.bins)
    return max(low, first * width - seen.limit), min(high, (last + 1) * width - seen.limit)
