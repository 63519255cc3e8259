"""The smallest and the largest value observed: nothing clips, outliers cost resolution."""

from edgeq.quantize.calibration.tensor_stats import Range, TensorStats

NEEDS_HISTOGRAM = False


def range_of(stats: TensorStats, levels: int) -> Range:
    return stats.extremes
