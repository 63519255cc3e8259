"""The exponential moving average of each sample's extremes: what TensorFlow and litert-quantizer calibrate with.

It forgets the extremes themselves, so it clips what is rare: mostly too much for 8 bits. Here to be compared with.
"""

from edgeq.quantize.calibration.tensor_stats import Range, TensorStats

NEEDS_HISTOGRAM = False


def range_of(stats: TensorStats, levels: int) -> Range:
    return (stats.mean_low, stats.mean_high) if stats.count else (0.0, 0.0)
