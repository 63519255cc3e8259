"""What a person who watches sees of the time that is left, and how little is printed where nobody does."""

import io

import pytest
from rich.console import Console

from edgeq.cli.bars import Bars, Countdown, clock
from edgeq.nouns.progress import Progress


def watched(*events: Progress) -> str:
    out = io.StringIO()
    bars = Bars(Console(file=out, force_terminal=True, width=110), clock=lambda: 0.0)
    for event in events:
        bars.draw(event)
    bars.clear()
    return out.getvalue()


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.0, "0:00"), (6.2, "0:07"), (750.0, "12:30"), (3720.0, "1:02:00")]
)
def test_a_time(seconds: float, words: str) -> None:
    assert clock(seconds) == words


def test_the_step_its_share_and_both_times() -> None:
    said = watched(Progress("litert-int8_static: calibrate", 0.25, 1.0, "", 12.0, 150.0))
    assert "litert-int8_static: calibrate" in said and "25%" in said and "0:12 left, 2:30 in all" in said


def test_the_same_time_is_not_said_twice() -> None:
    assert Countdown.of(Progress("calibrate", 0.25, 1.0, "", 12.0, 13.0), 0.0).words(0.0) == "0:12 left"


def test_it_goes_on_between_two_events() -> None:
    left = Countdown.of(Progress("calibrate", 0.25, 1.0, "", 12.0, 150.0), now=100.0)
    assert left.words(105.0) == "0:07 left, 2:25 in all"


def test_a_step_that_takes_longer_takes_nothing_of_what_is_behind_it() -> None:
    left = Countdown.of(Progress("calibrate", 0.25, 1.0, "", 12.0, 150.0), now=100.0)
    assert left.words(500.0) == "0:00 left, 2:18 in all"


def test_a_measurement_has_what_is_left_of_its_limit() -> None:
    assert Countdown.of(Progress("measure", 4.0, 10.0, "s"), 0.0).words(0.0) == "0:06 left"


def test_what_cannot_be_told_is_not_said() -> None:
    assert Countdown.of(Progress("head", 0.0, 1.0, ""), 0.0).words(0.0) == ""
    assert Countdown.of(Progress("head", 0.0, 1.0, "", None, 90.0), 0.0).words(0.0) == "1:30 left in all"
    assert "left" not in watched(Progress("open the model", 0, None, ""))


def test_a_step_without_shares_has_the_time_that_it_is_expected_to_take() -> None:
    assert "0:06 left" in watched(Progress("open the model", 0, None, "", left_s=6.0))


def test_where_nobody_watches_a_line_for_each_step_that_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    bars = Bars(Console(file=io.StringIO(), width=80))
    for event in (
        Progress("open the model", 0, None, ""),
        Progress("a: head", 0.0, 1.0, ""),  # only begins
        Progress("a: calibrate", 0.0, 1.0, "", 4.0, 40.0),
        Progress("a: calibrate", 0.5, 1.0, "", 2.0, 38.0),
        Progress("a: calibrate", 1.0, 1.0, "", 0.0, 36.0),
        Progress("measure", 0.0, 10.0, "s"),
    ):
        bars.draw(event)
    assert capsys.readouterr().err.splitlines() == [
        "working   open the model",
        "working   a: calibrate",
        "working   measure, at most 10 s",
    ]
