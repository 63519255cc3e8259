"""Additive powers of two: the levels of the paper, exact on int8, close to zero finer than uniform ones."""

import numpy as np
import pytest

from edgeq.errors import TargetRefused
from edgeq.quantize.numerics.power_of_two import fitted, power_of_two_levels

LARGEST_GAP = {2: 1, 3: 2, 4: 2}


@pytest.mark.parametrize(
    ("bits", "magnitudes"), [(2, [0, 1]), (3, [0, 1, 2, 4]), (4, [0, 1, 2, 3, 4, 6, 8, 10])]
)
def test_levels_are_the_papers(bits: int, magnitudes: list[int]) -> None:
    levels = power_of_two_levels(bits).tolist()
    assert levels == [-m for m in magnitudes[:0:-1]] + magnitudes
    assert len(levels) == (1 << bits) - 1


@pytest.mark.parametrize("bits", [2, 3, 4])
def test_they_are_sums_of_two_powers_of_two(bits: int) -> None:
    powers = {0, 1, 2, 4, 8}
    assert all(any(abs(v) - p in powers for p in powers) for v in power_of_two_levels(bits))


@pytest.mark.parametrize("bits", [2, 3, 4])
def test_int8_holds_them_exactly(bits: int) -> None:
    w = np.random.default_rng(0).normal(size=(5, 100))
    levels = fitted(w, bits, 0)
    expanded = levels.expanded_to_int8()
    assert expanded.error == 0.0
    assert np.array_equal(expanded.integers, power_of_two_levels(bits))
    assert np.array_equal(expanded.levels.round_trip(w), levels.round_trip(w))


@pytest.mark.parametrize("bits", [2, 3, 4])
def test_inside_of_the_range_the_error_is_half_the_largest_gap(bits: int) -> None:
    levels = fitted(np.random.default_rng(1).normal(size=1000), bits, None)
    inside = np.linspace(levels.values(0), levels.values(levels.levels.size - 1), 5000)
    lost = np.abs(levels.round_trip(inside) - inside)
    assert lost.max() <= 0.5001 * LARGEST_GAP[bits] * levels.scale


def test_other_bits_are_refused() -> None:
    with pytest.raises(TargetRefused, match="powers of two of 5 bits"):
        power_of_two_levels(5)
