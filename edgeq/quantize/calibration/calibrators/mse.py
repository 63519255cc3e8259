"""The range with the smallest expected squared error of a tensor's values, clipping and rounding together.

Rounding to steps of s costs s^2 / 12 per value inside, clipping the squared distance outside (Sung et al., "Resiliency
of deep neural networks under quantization", 2015, among many). The bin of zero rounds to nothing: zero is exact in
every range, and behind a ReLU it is half of all values.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgeq.quantize.calibration.tensor_stats import ZERO, Range, TensorStats

NEEDS_HISTOGRAM = True
# Both ends shrink by the same share; the loss is flat around its minimum, so steps of one percent are fine enough.
_SHARES = np.linspace(1.0, 0.2, 81)


@dataclass(frozen=True)
class SquaredError:
    """Sums over the values in the histogram; `signal` is that of their squares."""

    clipping: float
    rounding: float
    signal: float

    @property
    def noise_to_signal(self) -> float:
        return (self.clipping + self.rounding) / self.signal if self.signal else 0.0


def squared_error(stats: TensorStats, range: Range, levels: int) -> SquaredError:
    low, high = (np.array([end]) for end in range)
    clipping, rounding = _errors(stats, low, high, levels)
    assert stats.bins is not None
    return SquaredError(
        float(clipping[0]), float(rounding[0]), float((stats.bins * np.square(_values(stats))).sum())
    )


def range_of(stats: TensorStats, levels: int) -> Range:
    low, high = min(stats.extremes[0], 0.0), max(stats.extremes[1], 0.0)
    if high <= low:
        return low, high
    lows, highs = low * _SHARES, high * _SHARES
    clipping, rounding = _errors(stats, lows, highs, levels)
    best = int(np.argmin(clipping + rounding))  # the widest of equals
    return float(lows[best]), float(highs[best])


def _errors(
    stats: TensorStats, lows: npt.NDArray[np.float64], highs: npt.NDArray[np.float64], levels: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """(clipping, rounding) of each of the ranges, from running sums of the bins' counts and moments."""
    assert stats.bins is not None
    values, bins = _values(stats), stats.bins.astype(np.float64)
    sums = [np.concatenate(([0.0], np.cumsum(bins * values**power))) for power in (0, 1, 2)]
    rounded = bins.copy()
    rounded[ZERO] = 0.0
    inside = np.concatenate(([0.0], np.cumsum(rounded)))
    first, last = np.searchsorted(values, lows, "left"), np.searchsorted(values, highs, "right")
    below = [s[first] for s in sums]
    above = [s[-1] - s[last] for s in sums]
    clipping = sum(m[2] - 2 * end * m[1] + end**2 * m[0] for m, end in ((below, lows), (above, highs)))
    rounding = (inside[last] - inside[first]) * ((highs - lows) / (levels - 1)) ** 2 / 12
    return np.maximum(clipping, 0.0), rounding


def _values(stats: TensorStats) -> npt.NDArray[np.float64]:
    """One for each bin, clipped to the observed range."""
    low, high = min(stats.extremes[0], 0.0), max(stats.extremes[1], 0.0)
    return np.clip(stats.centres, low, high)
