"""Levels with a scale: the nearest one, what it is off by, and the same on int8."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeq.errors import DataRefused, ModelRefused, TargetRefused
from edgeq.quantize.numerics import codebook, few_integers, power_of_two, two_or_three
from edgeq.quantize.numerics.best_scale import squared_error, with_best_scale
from edgeq.quantize.numerics.levels import Levels

steady = settings(deadline=None, derandomize=True, max_examples=60)
finite = st.floats(-(2.0**20), 2.0**20, width=32)


@st.composite
def some_levels(draw) -> Levels:
    levels = sorted(set(draw(st.lists(st.integers(-500, 500), min_size=1, max_size=16))))
    return Levels(np.array(levels) / 8, draw(st.floats(2.0**-20, 2.0**20, width=32)))


@steady
@given(some_levels(), st.lists(finite, min_size=1, max_size=30))
def test_no_level_is_nearer(levels: Levels, values: list[float]) -> None:
    x = np.array(values, np.float32)
    lost = np.abs(levels.round_trip(x).astype(np.float64) - x)
    every = levels.levels.astype(np.float64) * float(levels.scale)
    least = np.abs(every - x.astype(np.float64)[:, None]).min(axis=1)
    assert np.all(lost <= least + 1e-6 * (np.abs(x) + np.abs(every).max()))


@steady
@given(some_levels())
def test_levels_come_back_as_they_were(levels: Levels) -> None:
    every = np.arange(levels.levels.size)
    assert np.array_equal(levels.nearest(levels.values(every)), every)


def test_of_the_middle_the_lower_level_is_nearest() -> None:
    assert Levels([-1.0, 0.0, 2.0], 0.5).nearest([-0.25, 0.5, 0.51]).tolist() == [0, 1, 2]


def test_channels_have_scales_and_may_have_levels_of_their_own() -> None:
    x = np.array([[0.9, -0.2], [0.9, -0.2]])
    assert Levels([-1, 1], [0.5, 2.0], axis=0).round_trip(x).tolist() == [[0.5, -0.5], [2, -2]]
    assert Levels([-1, 1], [0.5, 2.0], axis=-1).round_trip(x).tolist() == [[0.5, -2], [0.5, -2]]
    own = Levels([[-1, 1], [0, 3]], [1.0, 1.0], axis=0)
    assert own.round_trip(x).tolist() == [[1, -1], [0, 0]]
    assert own.expanded_to_int8()(own.nearest(x)).tolist() == [[1, -1], [0, 0]]


@steady
@given(some_levels(), st.integers(1, 127))
def test_on_int8_a_level_moves_by_half_a_step_at_most(levels: Levels, most: int) -> None:
    expanded = levels.expanded_to_int8(most)
    largest = float(np.abs(levels.levels).max() * levels.scale)
    assert np.abs(expanded.integers).max() <= most
    assert expanded.error <= 1.001 * largest / (2 * most)
    assert np.all(np.diff(expanded.levels.levels) >= 0)


@pytest.mark.parametrize("levels", [[-1, 1], [-1, 0, 1], np.arange(-7, 8), np.arange(-127, 128) / 127])
def test_multiples_of_a_step_are_exact_on_int8(levels) -> None:
    expanded = Levels(levels, [0.3, 7.0], axis=0).expanded_to_int8()
    assert expanded.error < 1e-6
    assert np.abs(expanded.integers).max() == (len(levels) - 1) // 2 or len(levels) == 2


def test_integers_are_held_below_what_16_bit_sums_leave_room_for() -> None:
    book = Levels([-1.0, -0.31, 0.0, 0.27, 0.77], 1.0)
    assert np.abs(book.expanded_to_int8(63).integers).max() <= 63
    with pytest.raises(TargetRefused, match="up to 128"):
        book.expanded_to_int8(128)


@pytest.mark.parametrize(
    ("levels", "scale", "axis"),
    [
        ([1, 0], 1, None),
        ([0, np.nan], 1, None),
        ([0, 1], 0, None),
        ([0, 1], [1, 1], None),
        ([[0, 1]], [1, 1], 0),
    ],
)
def test_what_is_no_levels_is_refused(levels, scale, axis) -> None:
    with pytest.raises(ModelRefused):
        Levels(levels, scale, axis)


KINDS = {
    "integers": lambda w, axis: few_integers.fitted(w, 3, axis),
    "powers of two": lambda w, axis: power_of_two.fitted(w, 4, axis),
    "codebook": lambda w, axis: codebook.fitted(w, 2, axis),
    "shared codebook": lambda w, axis: codebook.fitted_shared(w, 3, axis),
    "binary": two_or_three.fitted_binary,
    "ternary": two_or_three.fitted_ternary,
}


@pytest.mark.parametrize("kind", KINDS)
@settings(steady, max_examples=15)
@given(seed=st.integers(0, 1000), power=st.integers(-12, 12))
def test_twice_the_weights_have_twice_the_scales(kind: str, seed: int, power: int) -> None:
    w = np.random.default_rng(seed).normal(size=(3, 40))
    once, scaled = (KINDS[kind](w * factor, 0) for factor in (1.0, 2.0**power))
    np.testing.assert_allclose(scaled.scale, once.scale * 2.0**power, rtol=1e-6)
    np.testing.assert_allclose(scaled.levels, once.levels, rtol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_each_channel_is_fitted_apart(kind: str) -> None:
    w = np.random.default_rng(0).laplace(size=(4, 3, 50)) * np.array([1, 10, 0.1])[:, None]
    whole = KINDS[kind](w, 1)
    assert whole.scale.shape == (3,)
    if kind != "shared codebook":
        of_one = KINDS[kind](w[:, 1:2], 1)
        np.testing.assert_allclose(whole.scale[1:2], of_one.scale, rtol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_zeros_are_kept_and_infinities_refused(kind: str) -> None:
    fitted = KINDS[kind](np.zeros((2, 8)), 0)
    assert np.abs(fitted.round_trip(np.zeros((2, 8)))).max() < 1e-37
    with pytest.raises(DataRefused, match="inf or nan"):
        KINDS[kind](np.full((2, 8), np.inf), 0)


@steady
@given(st.integers(0, 10_000), st.sampled_from([2, 3, 4, 5]))
def test_no_other_scale_is_much_better(seed: int, bits: int) -> None:
    w = np.random.default_rng(seed).normal(size=200)
    levels = np.arange(-(1 << (bits - 1)) + 1, 1 << (bits - 1))
    found = with_best_scale(w, levels, None)
    finest = min(squared_error(w, Levels(levels, s)) for s in np.linspace(0.3, 2, 300) * float(found.scale))
    assert squared_error(w, found) <= 1.02 * finest
