"""The progress of a fit follows the time that its layers are expected to take."""

import pytest

from edgeq.graphs.products import Product
from edgeq.quantize.fit_time import seconds_by_layer, shares_before


def test_a_long_layer_has_a_large_share() -> None:
    assert shares_before(("a", "b", "c"), {"a": 1.0, "b": 8.0, "c": 1.0}) == pytest.approx((0.0, 0.1, 0.9))


def test_a_layer_of_which_nothing_is_known_counts_as_the_mean() -> None:
    assert shares_before(("a", "b", "c"), {"a": 1.0, "c": 3.0}) == pytest.approx((0.0, 1 / 6, 0.5))
    assert shares_before(("a", "b"), {}) == (0.0, 0.5)
    assert shares_before((), {}) == ()


def test_the_layers_of_a_network_by_their_names() -> None:
    wide, thin = Product("wide", 1, 512, 4608, 49), Product("thin", 1, 16, 27, 49)
    found = seconds_by_layer((wide, thin), samples=48, columns=8, block=288)
    assert found["wide"] > 10 * found["thin"]
