"""What is lost, and by which cause."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from edgeq.errors import DataRefused
from edgeq.quantize import numerics
from edgeq.quantize.numerics import INT8, UINT8, Granularity, reference

tensors = arrays.arrays(np.float32, (3, 5), elements=st.floats(-100, 100, width=32))
# A busy machine is no failure, and a failure must come again.
steady = settings(deadline=None, derandomize=True)
granularities = st.sampled_from([Granularity(), Granularity(0), Granularity(1, 2)])


@steady
@given(tensors, granularities, st.floats(0.05, 1.0))
def test_clipping_and_rounding_are_all_of_it(x: np.ndarray, granularity: Granularity, share: float) -> None:
    low, high = granularity.extremes(x)
    params = numerics.affine(low * share, high * share, INT8, granularity)
    noise = reference.error(x, params)
    lost = x.astype(np.float64) - numerics.round_trip(x, params)
    assert noise.clipping + noise.rounding == noise.mse
    assert noise.mse == pytest.approx(np.mean(lost**2))
    assert noise.largest == np.max(np.abs(lost))


def test_a_range_too_small_clips_and_one_too_large_rounds() -> None:
    x = np.random.default_rng(0).normal(size=10_000)
    small, large = numerics.affine(-0.5, 0.5, INT8), numerics.affine(-50.0, 50.0, INT8)
    assert reference.error(x, small).clipping > 1000 * reference.error(x, small).rounding
    assert reference.error(x, large).clipping == 0.0


def test_rounding_of_a_uniform_signal_is_its_step_squared_by_twelve() -> None:
    """Widrow: an error uniform over one step has variance S^2 / 12, and each bit is worth 6.02 dB."""
    x = np.linspace(-1, 1, 200_001)
    noises = [
        reference.error(x, numerics.affine(-1, 1, numerics.Grid(bits, signed=False))) for bits in (6, 10)
    ]
    assert noises[0].rounding == pytest.approx((2 / 63) ** 2 / 12, rel=0.05)
    assert noises[1].sqnr_db - noises[0].sqnr_db == pytest.approx(4 * 6.02, abs=0.2)


def test_nothing_lost() -> None:
    assert reference.error([0.0, 1.0, 255.0], numerics.affine(0, 255, UINT8)).sqnr_db is None
    assert reference.error(np.zeros((0, 3)), numerics.affine(0, 1, UINT8)).mse == 0.0


def test_what_is_not_finite_is_refused() -> None:
    with pytest.raises(DataRefused, match="inf or nan"):
        reference.error([1.0, np.nan], numerics.affine(0, 1, UINT8))
