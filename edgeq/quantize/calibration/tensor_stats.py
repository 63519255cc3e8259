"""What one pass over calibration data keeps of a tensor: its extremes, and on request a histogram of fixed size.

Memory does not depend on the number of samples. The bins are symmetric about zero; when a value falls outside, the
width doubles and pairs of bins merge, which loses no count.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

Range = tuple[float, float]
Floats = npt.NDArray[np.floating]

BINS = 4096
ZERO = BINS // 2  # the bin of zero
_NARROWEST = 1e-30  # below it the bins' width would vanish in float32
# Values of a tensor that enter its histogram over all samples: 20 of them lie in a tail of 1e-5.
_IN_ALL = 2**21
_OF_ONE = (2048, 65536)  # the fewest and the most of one sample
_SMOOTHING = 0.95  # weight of the past in the moving average, as litert-quantizer has it


@dataclass(frozen=True)
class Glance:
    """A tensor on one sample: its extremes (inf, -inf where it has no values), how many values there are, finite and not,
    and those that enter the histogram, where one is kept.
    """

    low: float
    high: float
    count: int
    not_finite: int = 0
    values: Floats | None = None


def counted_of_one(samples: int) -> int:
    """Values of one sample that enter a histogram over `samples` of them."""
    fewest, most = _OF_ONE
    return min(max(_IN_ALL // max(samples, 1), fewest), most)


def stride(size: int, counted: int) -> int:
    """The step that leaves about `counted` of `size` values: odd, so that it meets every row and channel."""
    return size // counted | 1


def glance_at(array: Floats, counted: int) -> Glance:
    """Values that are not finite are left out and counted."""
    if not array.size:
        return Glance(np.inf, -np.inf, 0)
    low, high = float(array.min()), float(array.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        finite = array[np.isfinite(array)]
        return replace(glance_at(finite, counted), not_finite=array.size - finite.size)
    return Glance(low, high, array.size, values=array.reshape(-1)[:: stride(array.size, counted)])


class Seen:
    """Show it arrays of any shape with `add`, or what somebody else saw of one with `note`.

    `low`, `high` are the extremes, `mean_low`, `mean_high` the exponential moving averages of each sample's own.
    """

    def __init__(self, histogram: bool) -> None:
        self.low, self.high = np.inf, -np.inf
        self.mean_low = self.mean_high = 0.0
        self.count = self.not_finite = 0
        self.limit = 0.0  # the bins span [-limit, limit]
        self.bins: npt.NDArray[np.int64] | None = np.zeros(BINS, np.int64) if histogram else None

    def add(self, array: Floats, counted: int = _OF_ONE[1]) -> None:
        self.note(glance_at(array, counted))

    def note(self, glance: Glance) -> None:
        self.not_finite += glance.not_finite
        if not glance.count:
            return
        past = _SMOOTHING if self.count else 0.0
        self.mean_low = past * self.mean_low + (1 - past) * glance.low
        self.mean_high = past * self.mean_high + (1 - past) * glance.high
        self.low, self.high = min(self.low, glance.low), max(self.high, glance.high)
        self.count += glance.count
        if self.bins is not None and glance.values is not None:
            self._widen(max(-glance.low, glance.high))
            self._count(glance.values)

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
        if not self.limit:
            self.bins[ZERO] += values.size
            return
        places = values * values.dtype.type(ZERO / self.limit)
        places += ZERO
        counts = np.bincount(places.astype(np.intp), minlength=BINS)
        counts[BINS - 1] += counts[BINS:].sum()  # the limit itself
        self.bins += counts[:BINS]

    def _widen(self, largest: float) -> None:
        assert self.bins is not None
        if self.limit == 0.0 and largest > 0.0:
            zeros = int(self.bins[ZERO])
            self.limit = max(largest, _NARROWEST)
            self.bins[:] = 0
            self.bins[ZERO] = zeros
        while self.limit < largest:
            merged = self.bins.reshape(-1, 2).sum(axis=1)
            self.bins = np.zeros(BINS, np.int64)
            self.bins[BINS // 4 : BINS // 4 + BINS // 2] = merged
            self.limit *= 2
