import numpy as np
import pytest

from edgeq.report.series import drift, effective_samples, median_absolute_deviation, outliers


def test_independent_samples_are_worth_themselves() -> None:
    series = np.random.default_rng(0).normal(size=5000)
    assert effective_samples(series) == pytest.approx(5000, rel=0.1)


@pytest.mark.parametrize("correlation", [0.5, 0.9])
def test_an_autoregressive_series_is_worth_what_theory_says(correlation: float) -> None:
    rng, series = np.random.default_rng(1), [0.0]
    for step in rng.normal(size=20_000):
        series.append(correlation * series[-1] + step)
    worth = 20_000 * (1 - correlation) / (1 + correlation)
    assert effective_samples(np.array(series)) == pytest.approx(worth, rel=0.2)


def test_a_constant_series_has_no_correlation_to_speak_of() -> None:
    assert effective_samples(np.full(100, 7)) == 100


def test_mad_and_outliers() -> None:
    series = np.array([10, 11, 10, 12, 11, 10, 11, 60])
    assert median_absolute_deviation(series) == 1
    assert outliers(series) == 1
    assert outliers(np.full(10, 3)) == 0


def test_outliers_where_most_values_are_equal() -> None:
    assert outliers(np.array([10] * 50 + [11, 90])) == 1


def test_drift_compares_the_last_third_with_the_first() -> None:
    assert drift(np.array([10.0] * 10 + [10.5] * 10 + [11.0] * 10)) == pytest.approx(0.1)
    assert drift(np.array([1.0, 2.0])) is None
