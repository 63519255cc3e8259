"""What one pass over calibration data keeps of a tensor: its extremes, and on request a histogram of fixed size.

Memory does not depend on the number of samples. The bins are symmetric about zero; when a value falls outside, the
width doubles and pairs of bins merge, which loses no count. `packed` and `unpacked` turn statistics into plain arrays
for the cache, and back.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

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

# Changes with what TensorStats holds, with its bins and with which values enter them.
FORMAT = 1
_REALS = ("low", "high", "mean_low", "mean_high", "half_range")
_COUNTS = ("count", "not_finite")


@dataclass(frozen=True)
class SampleStats:
    """Of a tensor on one sample: its extremes (inf, -inf where it has no values), how many values are finite and how many
    are not, and the `values` that enter the histogram, where one is kept.
    """

    low: float
    high: float
    count: int
    not_finite: int = 0
    values: Floats | None = None


def values_per_sample(samples: int) -> int:
    """Values of one sample that enter a histogram over `samples` of them."""
    fewest, most = _OF_ONE
    return min(max(_IN_ALL // max(samples, 1), fewest), most)


def stride(size: int, per_sample: int) -> int:
    """The step that leaves about `per_sample` of `size` values: odd, so that it meets every row and channel."""
    return size // per_sample | 1


def stats_of_sample(array: Floats, per_sample: int) -> SampleStats:
    """Values that are not finite are left out and counted."""
    if not array.size:
        return SampleStats(np.inf, -np.inf, 0)
    low, high = float(array.min()), float(array.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        finite = array[np.isfinite(array)]
        return replace(stats_of_sample(finite, per_sample), not_finite=array.size - finite.size)
    return SampleStats(low, high, array.size, values=array.reshape(-1)[:: stride(array.size, per_sample)])


class TensorStats:
    """`add` takes an array of any shape, `update` the statistics of one sample that were computed elsewhere.

    `low`, `high` are the extremes, `mean_low`, `mean_high` the exponential moving averages of each sample's own.
    """

    def __init__(self, histogram: bool) -> None:
        self.low, self.high = np.inf, -np.inf
        self.mean_low = self.mean_high = 0.0
        self.count = self.not_finite = 0
        self.half_range = 0.0  # the bins span [-half_range, half_range]
        self.bins: npt.NDArray[np.int64] | None = np.zeros(BINS, np.int64) if histogram else None

    def add(self, array: Floats, per_sample: int = _OF_ONE[1]) -> None:
        self.update(stats_of_sample(array, per_sample))

    def update(self, sample: SampleStats) -> None:
        self.not_finite += sample.not_finite
        if not sample.count:
            return
        past = _SMOOTHING if self.count else 0.0
        self.mean_low = past * self.mean_low + (1 - past) * sample.low
        self.mean_high = past * self.mean_high + (1 - past) * sample.high
        self.low, self.high = min(self.low, sample.low), max(self.high, sample.high)
        self.count += sample.count
        if self.bins is not None and sample.values is not None:
            self._widen(max(-sample.low, sample.high))
            self._count(sample.values)

    @property
    def extremes(self) -> Range:
        """(0, 0) for a tensor that never had a value."""
        return (self.low, self.high) if self.count else (0.0, 0.0)

    @property
    def centres(self) -> npt.NDArray[np.float64]:
        """The value that stands for each bin."""
        edges = np.linspace(-self.half_range, self.half_range, BINS + 1)
        return (edges[1:] + edges[:-1]) / 2

    def _count(self, values: Floats) -> None:
        assert self.bins is not None
        if not self.half_range:
            self.bins[ZERO] += values.size
            return
        places = values * values.dtype.type(ZERO / self.half_range)
        places += ZERO
        counts = np.bincount(places.astype(np.int32), minlength=BINS)
        counts[BINS - 1] += counts[BINS:].sum()  # the end itself
        self.bins += counts[:BINS]

    def _widen(self, largest: float) -> None:
        assert self.bins is not None
        if self.half_range == 0.0 and largest > 0.0:
            zeros = int(self.bins[ZERO])
            self.half_range = max(largest, _NARROWEST)
            self.bins[:] = 0
            self.bins[ZERO] = zeros
        while self.half_range < largest:
            merged = self.bins.reshape(-1, 2).sum(axis=1)
            self.bins = np.zeros(BINS, np.int64)
            self.bins[BINS // 4 : BINS // 4 + BINS // 2] = merged
            self.half_range *= 2


def packed(tensors: Mapping[str, TensorStats], samples: int) -> dict[str, npt.NDArray[Any]]:
    arrays: dict[str, npt.NDArray[Any]] = {
        "samples": np.array(samples),
        "names": np.array(list(tensors), str),
    }
    for field in (*_REALS, *_COUNTS):
        kind = np.float64 if field in _REALS else np.int64
        arrays[field] = np.array([getattr(s, field) for s in tensors.values()], kind)
    if all(s.bins is not None for s in tensors.values()):
        arrays["bins"] = np.array([s.bins for s in tensors.values()], np.int64).reshape(len(tensors), BINS)
    return arrays


def unpacked(arrays: Mapping[str, npt.NDArray[Any]]) -> tuple[dict[str, TensorStats], int] | None:
    """(tensors, samples); None where something is missing or has another shape."""
    names = arrays.get("names")
    fields = [arrays.get(field) for field in (*_REALS, *_COUNTS)]
    if names is None or "samples" not in arrays or any(f is None or f.shape != names.shape for f in fields):
        return None
    bins = arrays.get("bins")
    if bins is not None and bins.shape != (len(names), BINS):
        return None
    found: dict[str, TensorStats] = {}
    for k, name in enumerate(names):
        stats = found[str(name)] = TensorStats(histogram=False)
        for field in _REALS:
            setattr(stats, field, float(arrays[field][k]))
        for field in _COUNTS:
            setattr(stats, field, int(arrays[field][k]))
        stats.bins = None if bins is None else bins[k].copy()
    return found, int(arrays["samples"])
