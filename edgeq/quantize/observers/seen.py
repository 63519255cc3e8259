"""What one pass over calibration data keeps of a tensor: its extremes, and on request a histogram of fixed size.

Memory does not depend on the number of samples. The bins are symmetric about zero; when a value falls outside, the
width doubles and pairs of bins merge, which loses no count.
"""

import numpy as np
import numpy.typing as npt

Range = tuple[float, float]
Floats = npt.NDArray[np.floating]

BINS = 4096
_NARROWEST = 1e-30  # below it the bins' width would vanish in float32
_COUNTED = (
    16384  # values of one array that enter the histogram: a sample's share of millions of values in all
)


class Seen:
    """Feed it arrays of any shape with `add`. Values that are not finite are left out and counted."""

    def __init__(self, histogram: bool) -> None:
        self.low, self.high = np.inf, -np.inf
        self.count = self.not_finite = 0
        self.limit = 0.0  # the bins span [-limit, limit]
        self.bins: npt.NDArray[np.int64] | None = np.zeros(BINS, np.int64) if histogram else None

    def add(self, array: Floats) -> None:
        if not array.size:
            return
        low, high = float(array.min()), float(array.max())
        if not (np.isfinite(low) and np.isfinite(high)):
            finite = array[np.isfinite(array)]
            self.not_finite += array.size - finite.size
            if finite.size:
                self.add(finite)
            return
        self.low, self.high = min(self.low, low), max(self.high, high)
        self.count += array.size
        if self.bins is not None:
            self._widen(max(-low, high))
            # An odd step meets every row and channel; the extremes are those of all values.
            self._count(array.ravel()[:: (array.size // _COUNTED) | 1])

    @property
    def extremes(self) -> Range:
        """(0, 0) for a tensor that never had a value."""
        return (self.low, self.high) if self.count else (0.0, 0.0)

    @property
    def centres(self) -> npt.NDArray[np.float64]:
        """The value that stands for each bin."""
        edges = np.linspace(-self.limit, self.limit, BINS + 1)
        return (edges[1:] + edges[:-1]) / 2

    def _count(self, values: Floats) -> None:
        assert self.bins is not None
        if self.limit:
            places = (values + self.limit) * (BINS / (2 * self.limit))
            self.bins += np.bincount(np.minimum(places.astype(np.int32), BINS - 1), minlength=BINS)
        else:
            self.bins[BINS // 2] += len(values)

    def _widen(self, largest: float) -> None:
        assert self.bins is not None
        if self.limit == 0.0 and largest > 0.0:
            zeros = int(self.bins[BINS // 2])
            self.limit = max(largest, _NARROWEST)
            self.bins[:] = 0
            self.bins[BINS // 2] = zeros
        while self.limit < largest:
            merged = self.bins.reshape(-1, 2).sum(axis=1)
            self.bins = np.zeros(BINS, np.int64)
            self.bins[BINS // 4 : BINS // 4 + BINS // 2] = merged
            self.limit *= 2
