import pytest

from edgeq.request.duration import seconds_of


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("10m", 600), ("2 min", 120), ("1.5h", 5400)])
def test_lengths_of_time(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "10", "0s", "-1m", "1d", "m"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no length of time such as 90s, 10m or 1h"):
        seconds_of(text)
