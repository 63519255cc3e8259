"""What a series of latencies says about itself: spread, outliers, correlation, drift. In the order of time."""

import numpy as np
from numpy.typing import NDArray

Series = np.ndarray

OUTLIER_SCORE = 3.5


def median_absolute_deviation(series: Series) -> float:
    """Median of |x - median|, not scaled to a standard deviation."""
    return float(np.median(np.abs(series - np.median(series))))


def outliers(series: Series) -> int:
    """How many have a modified z-score 0.6745 |x - median| / MAD above 3.5.

    Iglewicz and Hoaglin 1993, How to Detect and Handle Outliers. Where more than half of the values are equal the MAD
    is zero; their remedy is |x - median| / (1.2533 mean absolute deviation).
    """
    distance = np.abs(series - np.median(series))
    mad = median_absolute_deviation(series)
    scale = mad / 0.6745 if mad > 0 else 1.253314 * float(distance.mean())
    return 0 if scale == 0 else int((distance / scale > OUTLIER_SCORE).sum())


def effective_samples(series: Series) -> float:
    """How many independent samples would say as much about the mean: n / (1 + 2 sum of autocorrelations).

    The sum is cut by Geyer's initial positive sequence (1992, Practical Markov Chain Monte Carlo, Statistical Science
    7): pairs of neighbouring lags are added while their sum is positive. Never more than n.
    """
    n = len(series)
    correlation = _autocorrelation(series)
    if correlation is None:
        return float(n)
    pairs = correlation[: n // 2 * 2].reshape(-1, 2).sum(axis=1)
    negative = np.flatnonzero(pairs <= 0)
    kept = pairs[: negative[0]] if negative.size else pairs
    time = max(1.0, 2 * float(kept.sum()) - 1)  # lag 0 counts once
    return n / time


def drift(series: Series) -> float | None:
    """Median of the last third over that of the first third, minus one; None below six samples."""
    third = len(series) // 3
    if third < 2:
        return None
    return float(np.median(series[-third:]) / np.median(series[:third])) - 1


def _autocorrelation(series: Series) -> NDArray[np.float64] | None:
    """At lags 0 to n-1, by Fourier transform with zero padding; None for a constant series."""
    centred = np.asarray(series, dtype=np.float64) - np.mean(series)
    variance = float(centred @ centred)
    if variance == 0 or len(series) < 4:
        return None
    size = 1 << (2 * len(series) - 1).bit_length()
    spectrum = np.abs(np.fft.rfft(centred, size)) ** 2
    covariance: NDArray[np.float64] = np.fft.irfft(spectrum, size)[: len(series)]
    return covariance / variance
