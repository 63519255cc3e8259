"""Scale and zero point: the formula, what it promises for every range, and what it refuses."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeq.errors import DataRefused, ModelRefused, TargetRefused
from edgeq.quantize import numerics
from edgeq.quantize.numerics import INT8, NARROW_INT8, UINT8, Granularity, Grid, QuantParams
from tests.quantize.numerics import reference

# A busy machine is no failure, and a failure must come again.
steady = settings(deadline=None, derandomize=True)
ends = st.floats(-(2.0**99), 2.0**99, width=32)
grids = st.builds(Grid, st.integers(2, 16), st.booleans(), st.booleans())
schemes = st.sampled_from([numerics.affine, numerics.symmetric])


@st.composite
def ranges(draw) -> tuple[float, float]:
    low, high = sorted((draw(ends), draw(ends)))
    return low, high


@steady
@given(ranges(), grids, schemes)
def test_every_value_of_the_range_comes_back_within_half_a_step(span, grid: Grid, scheme) -> None:
    low, high = span
    params = scheme(low, high, grid)
    x = np.linspace(min(low, 0), max(high, 0), 257).astype(np.float32)
    # The scale's own rounding to float32 moves the far end by up to steps x 2^-24 of a step.
    half = (0.5 + grid.steps * 2.0**-22) * float(params.scale)
    assert reference.error(x, params).largest <= half


@steady
@given(ranges(), grids, schemes)
def test_zero_is_exact(span, grid: Grid, scheme) -> None:
    params = scheme(*span, grid)
    assert grid.q_min <= params.zero_point <= grid.q_max
    assert numerics.round_trip(0.0, params) == 0.0
    assert numerics.quantize(0.0, params) == params.zero_point


@steady
@given(ranges(), grids, schemes, st.lists(ends, min_size=2))
def test_order_is_kept(span, grid: Grid, scheme, values: list[float]) -> None:
    x = np.sort(np.array(values, np.float32))
    params = scheme(*span, grid)
    assert np.all(np.diff(numerics.quantize(x, params).astype(np.int64)) >= 0)
    assert np.all(np.diff(numerics.round_trip(x, params)) >= 0)


@steady
@given(ranges(), grids, schemes)
def test_numbers_of_the_grid_come_back_as_they_were(span, grid: Grid, scheme) -> None:
    params = scheme(*span, grid)
    q = np.unique(np.linspace(grid.q_min, grid.q_max, 300).round().astype(int))
    np.testing.assert_array_equal(numerics.quantize(numerics.dequantize(q, params), params), q)


@pytest.mark.parametrize("bits", range(1, 17))
@pytest.mark.parametrize("signed", [True, False])
def test_affine_uses_every_number(bits: int, signed: bool) -> None:
    grid = Grid(bits, signed)
    q = numerics.quantize(np.linspace(-1, 3, 1 << 18), numerics.affine(-1, 3, grid))
    assert set(np.unique(q)) == set(range(grid.q_min, grid.q_max + 1))


def test_the_tutorial_formula_clips_what_the_affine_scheme_keeps() -> None:
    """Z = round(x_min / S) with q = round(x / S + Z): Z's sign is wrong, and zero is left out of the range."""
    x = np.array([1.2, 2.5, 3.7, 4.1])

    def tutorial(step: float) -> list[float]:
        return np.clip(np.round(x / step + np.round(x.min() / step)), 0, 255).tolist()

    assert tutorial((x.max() - x.min()) / 255) == [212, 255, 255, 255]
    assert tutorial(0.0114) == [210, 255, 255, 255]  # with S rounded for print

    params = numerics.affine(x.min(), x.max(), UINT8)
    q = numerics.quantize(x, params)
    assert q.tolist() == [75, 155, 230, 255]
    assert reference.error(x, params).largest <= params.scale / 2


def test_symmetric_uses_the_longer_negative_side() -> None:
    assert numerics.symmetric(-128.0, 127.0, INT8).scale == 1.0
    assert numerics.symmetric(-1.0, 0.5, INT8).scale == np.float32(1 / 128)
    assert numerics.symmetric(-1.0, 0.5, NARROW_INT8).scale == np.float32(1 / 127)
    assert numerics.symmetric(-1.0, 1.0, UINT8).zero_point == 128


def test_one_scale_for_each_channel_or_block() -> None:
    x = np.arange(-6, 6, dtype=np.float32).reshape(2, 6)
    rows, blocks = Granularity(axis=0), Granularity(axis=1, block_size=4)
    assert [e.tolist() for e in rows.extremes(x)] == [[-6, 0], [0, 5]]
    assert [e.tolist() for e in blocks.extremes(x)] == [[[-6, -2], [0, 0]], [[0, 0], [3, 5]]]
    params = numerics.symmetric(*blocks.extremes(x), NARROW_INT8, blocks)
    assert params.scale.shape == (2, 2)
    np.testing.assert_allclose(numerics.round_trip(x, params), x, atol=0.03)


@pytest.mark.parametrize("scheme", [numerics.affine, numerics.symmetric])
def test_an_empty_range_keeps_zero(scheme) -> None:
    params = scheme(0.0, 0.0, INT8)
    assert params.scale == 1.0
    assert numerics.round_trip(np.zeros(3), params).tolist() == [0, 0, 0]


@pytest.mark.parametrize("scheme", [numerics.affine, numerics.symmetric])
@settings(steady, max_examples=50)
@given(value=st.floats(2.0**-149, 2.0**-120, width=32))
def test_a_scale_never_underflows(scheme, value: float) -> None:
    params = scheme(-value, value, INT8)
    assert params.scale >= np.finfo(np.float32).tiny
    assert np.isfinite(np.float32(1) / params.scale)
    assert abs(numerics.round_trip(value, params) - value) <= params.scale / 2


def test_the_widest_float32_range() -> None:
    most = float(np.finfo(np.float32).max)
    params = numerics.affine(-most, most, UINT8)
    assert np.isfinite(params.scale)
    assert numerics.quantize([-most, 0.0, most], params).tolist() == [0, 128, 255]


@pytest.mark.parametrize(("low", "high"), [(np.nan, 1), (0, np.inf), (-np.inf, 0), (2, 1)])
@pytest.mark.parametrize("scheme", [numerics.affine, numerics.symmetric])
def test_a_range_that_is_none_is_refused(scheme, low: float, high: float) -> None:
    with pytest.raises(DataRefused):
        scheme(low, high, INT8)


def test_grids_that_cannot_be_are_refused() -> None:
    for bits, narrow in ((0, False), (17, False), (1, True)):
        with pytest.raises(TargetRefused):
            Grid(bits, signed=True, narrow_range=narrow)
    with pytest.raises(TargetRefused, match="1 bit"):
        numerics.symmetric(-1.0, 1.0, Grid(1, signed=True))


def test_params_that_cannot_be_are_refused() -> None:
    for scale, zero in ((0.0, 0), (np.nan, 0), (-1.0, 0), (1.0, 300)):
        with pytest.raises(ModelRefused):
            QuantParams(np.float32(scale), np.int32(zero), UINT8)
    params = numerics.symmetric([-1.0, -2.0], [1.0, 2.0], INT8, Granularity(axis=0))
    with pytest.raises(ModelRefused, match=r"\[2\].*\[3, 4\]"):
        numerics.quantize(np.zeros((3, 4)), params)


def test_scales_along_an_axis_dequantize_as_the_granularity_does() -> None:
    params = numerics.symmetric([-1.0, -2.0], [1.0, 2.0], INT8, Granularity(axis=1))
    q = numerics.quantize(np.linspace(-2, 2, 6, dtype=np.float32).reshape(3, 2), params)
    along = numerics.dequantize_linear(q, params.scale, params.zero_point, axis=1)
    np.testing.assert_array_equal(along, numerics.dequantize(q, params))
