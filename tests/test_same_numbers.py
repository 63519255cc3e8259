"""What a test draws does not depend on the tests before it (same_numbers.py)."""

import numpy as np
import pytest

RNG = np.random.default_rng(0)
FIRST = np.random.default_rng(0).standard_normal(3)


@pytest.fixture
def drawn():
    return RNG.standard_normal(3)


@pytest.mark.parametrize("time", [1, 2])
def test_each_body_starts_where_the_module_did(time):
    assert np.array_equal(RNG.standard_normal(3), FIRST)


@pytest.mark.parametrize("time", [1, 2])
def test_so_does_each_fixture(time, drawn):
    assert np.array_equal(drawn, FIRST)
