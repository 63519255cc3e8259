"""The learning rate where none is asked for."""

import pytest

from edgeq.train.low_bits import Bits
from edgeq.train.options import share_of_rate, usual_rate


@pytest.mark.parametrize(
    ("bits", "steps", "rate"),
    [
        (Bits(4, 8), 1000, 0.01),
        (Bits(3, 3), 125, 0.005),
        (Bits(3, 3), 10, 0.0025),
        (Bits(2, 2), 10, 0.02),
        (Bits(8, 8), 10, 0.001),
    ],
)
def test_it_is_lower_where_few_steps_are_to_settle(bits: Bits, steps: int, rate: float) -> None:
    assert usual_rate(bits) * share_of_rate(bits, steps) == pytest.approx(rate)
