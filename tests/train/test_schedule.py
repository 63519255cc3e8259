"""The learning rate: a linear warm-up, then half a cosine down to the end."""

from itertools import pairwise

import pytest

from edgeq.train.schedule import CosineSchedule


def test_the_rate_rises_and_falls() -> None:
    schedule = CosineSchedule(peak=1.0, steps=14, warmup=4, end=0.1)
    rates = [schedule.at(step) for step in range(14)]
    assert rates[:5] == pytest.approx([0.25, 0.5, 0.75, 1.0, 1.0])
    assert rates[9] == pytest.approx(0.55)
    assert all(a > b for a, b in pairwise(rates[4:]))
    assert schedule.at(14) == schedule.at(99) == pytest.approx(0.1)


def test_without_a_warmup_it_begins_at_the_peak() -> None:
    assert CosineSchedule(peak=0.01, steps=10).at(0) == 0.01


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"steps": 0}, "schedule of 0 steps"),
        ({"steps": 5, "warmup": 5}, "warm-up of 5 steps of 5"),
        ({"steps": 5, "end": 2.0}, "rate from 1.0 to 2.0"),
    ],
)
def test_what_is_no_schedule(given: dict[str, float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        CosineSchedule(peak=1.0, **given)  # type: ignore[arg-type]
