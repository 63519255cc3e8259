"""Binary and ternary weights: the papers' scaling factors, and that no other ones lose less."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeq.quantize.numerics.best_scale import squared_error
from edgeq.quantize.numerics.levels import Levels
from edgeq.quantize.numerics.two_or_three import fitted_binary, fitted_ternary

steady = settings(deadline=None, derandomize=True, max_examples=60)
weights = st.lists(st.integers(-100, 100).filter(bool), min_size=1, max_size=40)


@steady
@given(weights, st.floats(0.5, 2.0))
def test_the_mean_magnitude_is_the_best_scale_of_signs(values: list[int], factor: float) -> None:
    w = np.array(values, np.float32)
    found = fitted_binary(w, None)
    assert found.scale == np.float32(np.abs(w).mean())
    other = Levels(found.levels, found.scale * np.float32(factor))
    assert squared_error(w, found) <= squared_error(w, other) * (1 + 1e-5)


@steady
@given(weights)
def test_three_levels_lose_least_of_all_thresholds(values: list[int]) -> None:
    w = np.array(values, np.float32)
    magnitudes = np.sort(np.abs(w))[::-1].astype(np.float64)
    errors = [
        float(np.square(w).sum() - magnitudes[:n].sum() ** 2 / n) / len(w) for n in range(1, len(w) + 1)
    ]
    assert squared_error(w, fitted_ternary(w, None)) <= min(errors) + 1e-4 * float(np.square(w).mean())


def test_the_papers_threshold_is_near_the_best_for_gaussian_weights() -> None:
    w = np.random.default_rng(0).normal(size=100_000)
    kept = np.abs(w) > 0.7 * np.abs(w).mean()
    scale = np.abs(w[kept]).mean()
    of_paper = float(np.square(w - scale * np.sign(w) * kept).mean())
    best = squared_error(w, fitted_ternary(w, None))
    assert best <= of_paper < 1.01 * best


def test_one_scale_for_each_channel() -> None:
    w = np.array([[0.1, -0.1, 0.1], [4.0, -4.0, 0.1]], np.float32)
    np.testing.assert_allclose(fitted_binary(w, 0).scale, [0.1, 2.7], rtol=1e-6)
    np.testing.assert_allclose(fitted_ternary(w, 0).round_trip(w), [[0.1, -0.1, 0.1], [4, -4, 0]], rtol=1e-6)
