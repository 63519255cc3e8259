"""Statistics of one streaming pass: exact extremes, counts that survive re-binning, and back from the cache."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edgeq.quantize.calibration.tensor_stats import BINS, TensorStats, packed, unpacked

arrays = hnp.arrays(np.float32, st.integers(0, 50), elements=st.floats(-1e4, 1e4, width=32))


def stats_of(parts):
    stats = TensorStats(histogram=True)
    for part in parts:
        stats.add(np.asarray(part, np.float32))
    return stats


@given(st.lists(arrays, max_size=8))
def test_extremes_and_counts_are_those_of_all_values_together(parts):
    stats, together = stats_of(parts), np.concatenate([np.zeros(0, np.float32), *parts])
    if together.size:
        assert stats.extremes == (together.min(), together.max())
    assert stats.bins.sum() == stats.count == together.size
    assert len(stats.bins) == BINS


def test_a_late_outlier_widens_the_bins_and_loses_nothing():
    stats = stats_of([np.linspace(-1, 1, 1000), [700.0]])
    inside = np.abs(stats.centres) <= 1.5
    assert stats.bins[inside].sum() == 1000
    assert stats.bins[~inside].sum() == 1


def test_infinities_are_left_out_and_counted():
    stats = stats_of([[1.0, np.inf, -2.0, np.nan]])
    assert stats.extremes == (-2.0, 1.0)
    assert stats.not_finite == 2


@pytest.mark.parametrize("histogram", [True, False])
def test_statistics_come_back_from_arrays_unchanged(histogram):
    stats = {name: TensorStats(histogram) for name in ("some", "none")}
    for sample in np.random.default_rng(0).normal(size=(5, 300)).astype(np.float32):
        stats["some"].add(sample)
    found, samples = unpacked(packed(stats, 5))
    assert samples == 5
    for name in stats:
        assert str(vars(found[name])) == str(vars(stats[name]))


def test_arrays_of_another_form_are_refused():
    arrays = packed({"x": TensorStats(True)}, 1)
    assert unpacked({k: v for k, v in arrays.items() if k != "low"}) is None
    assert unpacked({**arrays, "bins": arrays["bins"][:, :7]}) is None
    assert unpacked({**arrays, "count": np.zeros(3, int)}) is None
