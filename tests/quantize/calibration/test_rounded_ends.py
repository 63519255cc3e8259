"""Ends of ranges have twelve significant bits: another CPU, which sees other last bits, finds the same scales."""

import numpy as np
import pytest

from edgeq.quantize.calibration.calibrate import Calibration, ranges_of
from edgeq.quantize.calibration.tensor_stats import SampleStats, TensorStats

LOWEST = float(np.finfo(np.float32).min)


def ends(low, high):
    stats = TensorStats(histogram=False)
    stats.update(SampleStats(low, high, 8))
    return ranges_of(Calibration({"t": stats}, 1, ""), "minmax")["t"]


@pytest.mark.parametrize(
    ("stats", "found"),
    [
        ((0.0, 6.0), (0.0, 6.0)),  # what a Relu6 lets through stays
        ((0.0, 0.99998), (0.0, 1.0)),
        ((-1.2345678, 3.3333333), (-1.234375, 3.3330078125)),
        ((LOWEST, 1.0), (LOWEST, 1.0)),  # the mask of an attention
        ((0.0, 0.0), (0.0, 0.0)),
    ],
)
def test_ends_are_rounded(stats, found):
    assert ends(*stats) == found


def test_last_bits_do_not_matter():
    values = np.random.default_rng(0).lognormal(size=500)
    same = sum(ends(-v, v) == ends(-v * (1 + 2e-7), v * (1 - 2e-7)) for v in values)
    assert same >= 497


def test_an_end_moves_by_a_sixteenth_of_a_step_at_most():
    for value in np.random.default_rng(1).lognormal(size=500):
        low, high = ends(-value, value)
        assert -low == high == pytest.approx(value, rel=1 / 256 / 16)
