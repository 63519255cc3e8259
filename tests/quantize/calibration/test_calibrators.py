"""Each calibrator chooses a range from the statistics of a tensor."""

import numpy as np
import pytest

from edgeq.errors import TargetRefused
from edgeq.quantize.calibration.calibrators import calibrator_named, names
from tests.quantize.calibration.test_tensor_stats import stats_of


@pytest.mark.parametrize("name", names())
def test_every_way_gives_a_range_inside_the_extremes(name):
    values = np.random.default_rng(0).normal(size=100_000)
    low, high = calibrator_named(name).range_of(stats_of(np.split(values, 100)), 256)
    assert values.min() - 1e-6 <= low < -2 < 2 < high <= values.max() + 1e-6


def test_a_lone_outlier_is_clipped_where_that_costs_less_than_it_saves():
    rng = np.random.default_rng(0)
    stats = stats_of([*rng.normal(size=(300, 1000)), [40.0]])
    assert calibrator_named("minmax").range_of(stats, 256)[1] == 40.0
    assert calibrator_named("percentile").range_of(stats, 256)[1] < 10
    assert calibrator_named("mse").range_of(stats, 256)[1] < 40
    few = calibrator_named("mse").range_of(stats, 16)[1]
    assert few < calibrator_named("mse").range_of(stats, 256)[1]  # fewer levels clip earlier


def test_mse_takes_the_range_with_the_least_squared_error():
    values = np.random.default_rng(1).laplace(size=50_000)
    low, high = calibrator_named("mse").range_of(stats_of([values]), 16)

    def error(share):
        lo, hi = values.min() * share, values.max() * share
        step = (hi - lo) / 15
        return float(((np.clip(np.round((values - lo) / step), 0, 15) * step + lo - values) ** 2).mean())

    best = min(error(s) for s in np.linspace(1, 0.2, 81))
    assert error(high / values.max()) <= best * 1.1
    assert low / values.min() == pytest.approx(high / values.max())


def test_mse_spends_no_range_on_the_rounding_of_zeros():
    """Half of what leaves a ReLU is zero, which is exact: only the other half gains from finer steps."""
    values = np.maximum(np.random.default_rng(2).laplace(size=200_000), 0)
    parts = np.split(values, 50), [p[p > 0] for p in np.split(values, 50)]
    with_zeros, without = (calibrator_named("mse").range_of(stats_of(p), 64) for p in parts)
    assert with_zeros == pytest.approx(without)


def test_the_moving_average_forgets_what_the_extremes_keep():
    stats = stats_of([[0.0, 10.0], *[[0.0, 1.0]] * 50])
    assert calibrator_named("minmax").range_of(stats, 256) == (0.0, 10.0)
    assert calibrator_named("moving_average").range_of(stats, 256) == (0.0, pytest.approx(1 + 9 * 0.95**50))


def test_the_command_line_offers_every_way():
    from edgeq.cli.commands.convert import command

    (option,) = [p for p in command.params if p.name == "calibrator"]
    assert set(option.type.choices) == {"auto", *names()}


def test_an_unknown_way_is_answered_with_the_known_ones():
    with pytest.raises(TargetRefused) as refused:
        calibrator_named("magic")
    assert "entropy, minmax, moving_average, mse, percentile" in refused.value.remedy
