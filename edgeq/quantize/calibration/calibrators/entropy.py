"""The range whose quantized distribution differs least from the real one, by Kullback-Leibler divergence.

After Migacz, "8-bit inference with TensorRT" (GTC 2017): what lies outside is added to the last bins of the reference,
the quantized distribution spreads each level's mass over the bins of that level that had any. The bin of zero is left
out: zero is exact in every range, and the spike that a ReLU leaves there would decide alone.
"""

import numpy as np
import numpy.typing as npt

from edgeq.quantize.calibration.tensor_stats import Range, TensorStats

NEEDS_HISTOGRAM = True


def range_of(stats: TensorStats, levels: int) -> Range:
    assert stats.bins is not None
    low, high = stats.extremes
    low, high = min(low, 0.0), max(high, 0.0)
    if high <= low:
        return low, high
    centres, bins = stats.centres, stats.bins.copy()
    bins[len(bins) // 2] = 0
    best, least = (low, high), np.inf
    for share in np.linspace(1.0, 0.2, 81):
        lo, hi = low * share, high * share
        inside = np.flatnonzero((centres >= lo) & (centres <= hi))
        if len(inside) < levels // 2:
            break  # fewer bins than levels: nothing left to compare
        divergence = _divergence(bins, inside, levels)
        if divergence < least:
            best, least = (lo, hi), divergence
    return best


def _divergence(bins: npt.NDArray[np.int64], inside: npt.NDArray[np.intp], levels: int) -> float:
    plain = bins[inside[0] : inside[-1] + 1].astype(np.float64)
    clipped = plain.copy()
    clipped[0] += bins[: inside[0]].sum()
    clipped[-1] += bins[inside[-1] + 1 :].sum()
    level = np.arange(len(plain)) * levels // len(plain)
    mass = np.bincount(level, plain, minlength=levels)
    filled = np.bincount(level, plain > 0, minlength=levels)
    spread = np.where(plain > 0, (mass / np.maximum(filled, 1))[level], 0.0)
    p, q = clipped / max(clipped.sum(), 1.0), spread / max(spread.sum(), 1.0)
    both = p > 0
    # A clipped value can land in an empty bin: the smallest mass stands for the infinite divergence.
    return float(np.sum(p[both] * np.log(p[both] / np.maximum(q[both], 1e-12))))
