"""The time that is left is right within a factor of two: from the first second where a time is planned, and else once a second has
passed. The sequences were recorded with a residual network of 5 M weights.
"""

import math

import pytest

from edgeq.nouns.progress import Note, PlannedStep, Progress
from edgeq.request.tell import shares, timed
from edgeq.request.time_left import Left, TimeLeft

# fmt: off
# When each of 48 samples was calibrated by, in seconds.
CALIBRATED = (
    0.06, 0.13, 0.19, 0.27, 0.35, 0.42, 0.49, 0.52, 0.55, 0.61, 0.68, 0.73, 0.77, 0.81, 0.86, 0.90,
    0.93, 0.96, 0.99, 1.06, 1.11, 1.17, 1.22, 1.29, 1.32, 1.35, 1.40, 1.44, 1.49, 1.53, 1.56, 1.59,
    1.63, 1.66, 1.69, 1.74, 1.81, 1.84, 1.87, 1.92, 1.99, 2.06, 2.12, 2.20, 2.25, 2.29, 2.34, 2.44,
)
# When each layer was fitted by, and its share by fit_time.py: the last ten of 54 layers take more than half of the time.
FITTED = (
    (0.00, 0.000), (0.05, 0.010), (0.23, 0.014), (0.29, 0.021), (0.35, 0.025), (0.36, 0.030), (0.49, 0.035), (0.56, 0.042),
    (0.62, 0.046), (0.73, 0.051), (0.80, 0.058), (0.86, 0.063), (0.97, 0.069), (1.22, 0.080), (1.29, 0.085), (1.32, 0.091),
    (1.43, 0.096), (1.61, 0.107), (1.66, 0.112), (1.72, 0.117), (1.90, 0.129), (1.95, 0.133), (2.01, 0.138), (2.20, 0.150),
    (2.25, 0.154), (2.34, 0.161), (2.80, 0.198), (2.86, 0.203), (2.90, 0.211), (3.05, 0.221), (3.46, 0.258), (3.51, 0.263),
    (3.62, 0.273), (4.03, 0.310), (4.09, 0.315), (4.20, 0.325), (4.61, 0.362), (4.67, 0.367), (4.78, 0.377), (5.25, 0.414),
    (5.31, 0.419), (5.42, 0.429), (5.82, 0.466), (5.88, 0.471), (5.99, 0.483), (7.68, 0.611), (7.86, 0.619), (8.03, 0.641),
    (8.58, 0.667), (10.25, 0.794), (10.38, 0.803), (10.62, 0.829), (11.85, 0.956), (12.15, 0.965), (12.59, 1.000),
)
# fmt: on
Sequence = list[tuple[float, float]]
EVEN: Sequence = [(0.0, 0.0), *((t, (k + 1) / len(CALIBRATED)) for k, t in enumerate(CALIBRATED))]
UNEVEN: Sequence = list(FITTED)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def lefts(recorded: Sequence, planned: tuple[PlannedStep, ...] = ()) -> list[tuple[float, float | None]]:
    """For each event, the seconds that really followed and those that were told."""
    clock = Clock()
    times, began, took = TimeLeft(planned, clock), clock.now, recorded[-1][0]
    found = []
    for elapsed, share in recorded:
        clock.now = began + elapsed
        found.append((took - elapsed, times.at("", "step", share).step))
    return found


def is_right(really: float, told: float | None) -> bool:
    """Within a factor of two, or half a second."""
    assert told is not None
    return abs(told - really) <= 0.5 or really / 2 <= told <= 2 * really


@pytest.mark.parametrize("recorded", [EVEN, UNEVEN], ids=["calibrate", "fit"])
@pytest.mark.parametrize("off_by", [0.6, 1.0, 1.8])
def test_from_the_first_second_where_a_time_is_planned(recorded: Sequence, off_by: float) -> None:
    planned = (PlannedStep("", "step", off_by * recorded[-1][0]),)
    assert all(is_right(really, told) for really, told in lefts(recorded, planned))


@pytest.mark.parametrize("recorded", [EVEN, UNEVEN], ids=["calibrate", "fit"])
def test_without_a_plan_once_a_second_has_passed(recorded: Sequence) -> None:
    found = [pair for pair, (elapsed, _) in zip(lefts(recorded), recorded, strict=True) if elapsed >= 1]
    assert len(found) > 20 and all(is_right(really, told) for really, told in found)
    assert lefts(recorded)[0][1] is None


def test_a_plan_that_is_wrong_by_far_is_soon_forgotten() -> None:
    found = lefts(EVEN, (PlannedStep("", "step", 50 * CALIBRATED[-1]),))
    assert all(is_right(really, told) for really, told in found[16:])


def planned(*steps: tuple[str, str, float]) -> list[PlannedStep]:
    return [PlannedStep(*step) for step in steps]


ABC = planned(("a", "calibrate", 10.0), ("a", "fit", 20.0), ("a", "judge", 5.0), ("b", "judge", 5.0))


def run(times: TimeLeft, clock: Clock, of: str, name: str, seconds: float, parts: int = 10) -> Left:
    """A step from its beginning to its end."""
    for k in range(parts):
        times.at(of, name, k / parts)
        clock.now += seconds / parts
    return times.at(of, name, 1.0)


def test_all_is_the_step_and_what_is_planned_behind_it() -> None:
    clock = Clock()
    times = TimeLeft(ABC, clock)
    assert times.at("a", "calibrate", 0.0).all == pytest.approx(40.0)
    left = run(times, clock, "a", "calibrate", 20.0)  # twice as long as planned
    assert left.step == 0.0 and left.all == pytest.approx(60.0, rel=0.1)
    fit = times.at("a", "fit", 0.0)
    assert fit.step == pytest.approx(40.0, rel=0.1) and fit.all == pytest.approx(60.0, rel=0.1)


def test_a_step_that_is_slow_makes_what_follows_longer_while_it_runs() -> None:
    clock = Clock()
    times = TimeLeft(ABC, clock)
    times.at("a", "calibrate", 0.0)
    clock.now += 10
    left = times.at("a", "calibrate", 0.5)
    assert left.step == pytest.approx(10.0, rel=0.1) and left.all == pytest.approx(70.0, rel=0.15)


def test_a_step_of_the_same_name_takes_as_long_as_the_one_before_did() -> None:
    clock = Clock()
    times = TimeLeft(
        planned(("a", "run", 10.0), ("a", "fit", 10.0), ("b", "fit", 10.0), ("b", "run", 10.0)), clock
    )
    run(times, clock, "a", "run", 10.0)
    run(times, clock, "a", "fit", 40.0)
    assert times.at("b", "fit", 0.0).step == pytest.approx(40.0, rel=0.1)
    assert times.at("b", "run", 0.0).step == pytest.approx(10.0, rel=0.1)


def test_a_step_that_ends_early_says_nothing_of_the_pace() -> None:
    """Calibration that converges after a quarter of the samples."""
    clock = Clock()
    times = TimeLeft(ABC, clock)
    times.at("a", "calibrate", 0.0)
    clock.now += 2.5
    times.at("a", "calibrate", 0.25)
    assert times.at("a", "calibrate", 1.0).all == pytest.approx(30.0)


def test_one_that_says_only_that_it_begins_tells_of_its_own_name_alone() -> None:
    clock = Clock()
    times = TimeLeft(planned(("a", "equalize", 20.0), ("a", "fit", 20.0), ("b", "equalize", 20.0)), clock)
    times.at("a", "equalize", 0.0)
    clock.now += 2
    assert times.at("a", "fit", 0.0) == Left(pytest.approx(20.0), pytest.approx(22.0, rel=0.05))


def test_what_depends_on_an_open_question_counts_half_until_it_is_answered() -> None:
    clock = Clock()
    times = TimeLeft(
        [
            PlannedStep("a", "judge", 4.0),
            PlannedStep("a", "rank", 8.0, forks=1),
            PlannedStep("a", "fit", 16.0, forks=2),
            PlannedStep("b", "judge", 4.0),
        ],
        clock,
    )
    assert times.at("a", "judge", 0.0).all == pytest.approx(4 + 8 / 2 + 16 / 4 + 4)
    clock.now += 4
    assert times.at("a", "rank", 0.0) == Left(pytest.approx(8.0), pytest.approx(8 + 16 / 2 + 4))
    clock.now += 8
    assert times.at("a", "fit", 0.0) == Left(pytest.approx(16.0), pytest.approx(16 + 4))
    times.over("a")
    assert times.at("b", "judge", 0.0).all == pytest.approx(4.0)


def test_what_is_known_of_the_model_takes_the_place_of_a_guess() -> None:
    clock = Clock()
    times = TimeLeft(planned(("", "open", 3.0), ("x", "guessed", 100.0)), clock)
    assert times.at("", "open", 0.0) == Left(pytest.approx(3.0), pytest.approx(103.0))
    times.plan(ABC)
    assert times.at("a", "calibrate", 0.0).all == pytest.approx(40.0)


def test_a_planned_step_that_never_begins_is_dropped_by_a_later_one() -> None:
    times = TimeLeft(planned(("a", "calibrate", 10.0), ("a", "fit", 20.0), ("a", "judge", 5.0)), Clock())
    assert times.at("a", "judge", 0.0).all == pytest.approx(5.0)


def test_a_step_that_was_not_planned_has_its_own_time() -> None:
    clock = Clock()
    times = TimeLeft(planned(("a", "judge", 5.0)), clock)
    assert times.at("a", "head", 0.0) == Left(None, pytest.approx(5.0))
    clock.now += 3
    assert times.at("a", "head", 0.25) == Left(pytest.approx(9.0), pytest.approx(14.0))


def test_candidates_that_are_made_at_the_same_time_do_not_disturb_each_other() -> None:
    clock = Clock()
    times = TimeLeft(clock=clock)
    for k in range(1, 5):
        clock.now += 1
        a, b = times.at("a", "fit", k / 10), times.at("b", "fit", k / 20)
    assert a.step is not None and b.step is not None and math.isclose(b.step / a.step, 2, rel_tol=0.6)


def test_the_events_of_a_conversion_carry_it() -> None:
    clock, told = Clock(), list[Progress]()
    times = TimeLeft(planned(("a", "calibrate", 4.0), ("a", "fit", 6.0)), clock)
    shares(told.append, "a", times)("calibrate", 0.0)
    assert told == [Progress("a: calibrate", 0.0, 1.0, "", pytest.approx(4.0), pytest.approx(10.0))]
    shares(told.append)("explain", 0.0)
    assert told[-1] == Progress("explain", 0.0, 1.0, "")


def test_a_step_without_shares_carries_it_too() -> None:
    told = list[object]()
    tell = timed(told.append, TimeLeft(planned(("", "open", 3.0), ("", "export", 9.0)), Clock()))
    tell(Progress("open", 0, None, ""))
    tell(Note("something"))
    assert told == [Progress("open", 0, None, "", pytest.approx(3.0), pytest.approx(12.0)), Note("something")]
