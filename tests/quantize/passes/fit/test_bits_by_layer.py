"""Bits shared among layers."""

import pytest

from edgeq.quantize.passes.fit.bits_by_layer import bits_by_layer

SIZES = {"large": 64_000, "middle": 16_000, "small": 4_000}


@pytest.mark.parametrize("average", [2.5, 4, 4.5, 6])
def test_the_mean_over_all_weights_is_what_was_asked_for(average: float) -> None:
    found = bits_by_layer(SIZES, average)
    mean = sum(found[name] * count for name, count in SIZES.items()) / sum(SIZES.values())
    assert mean == pytest.approx(average, abs=0.01)


def test_a_fourth_of_the_weights_gets_a_bit_more() -> None:
    found = bits_by_layer(SIZES, 4)
    assert (
        found["small"] - found["middle"]
        == pytest.approx(found["middle"] - found["large"])
        == pytest.approx(1)
    )


def test_bits_stay_between_two_and_eight() -> None:
    assert bits_by_layer(SIZES | {"tiny": 40}, 6)["tiny"] == 8
    assert max(bits_by_layer(SIZES, 2).values()) == pytest.approx(2)
    assert min(bits_by_layer(SIZES, 8).values()) == pytest.approx(8)
    assert bits_by_layer({}, 4) == {}


def test_weights_that_keep_eight_bits_count_in_the_mean() -> None:
    found = bits_by_layer(SIZES, 4, kept_whole=6_000)
    total = sum(found[name] * count for name, count in SIZES.items()) + 8 * 6_000
    assert total / (sum(SIZES.values()) + 6_000) == pytest.approx(4, abs=0.01)


def test_where_they_are_too_many_the_others_have_two() -> None:
    assert max(bits_by_layer(SIZES, 4, kept_whole=200_000).values()) == pytest.approx(2)


def test_what_is_heard_sixteen_times_as_loud_gets_a_bit_more() -> None:
    alike = dict.fromkeys(("a", "b", "silent"), 10_000)
    found = bits_by_layer(alike, 4, heard={"a": 16e-3, "b": 1e-3, "silent": 0.0})
    assert found["a"] - found["b"] == pytest.approx(1)
    assert found["silent"] == 2 and sum(found.values()) == pytest.approx(12, abs=0.01)
    assert bits_by_layer(SIZES, 4, heard=dict.fromkeys(SIZES, 0.1)) == pytest.approx(bits_by_layer(SIZES, 4))
