"""Each step has its own seconds, also one within another."""

from edgeq.nouns.passes import StepCost
from edgeq.quantize.stopwatch import Stopwatch


class Clock:
    """Goes on only by `wait`."""

    def __init__(self) -> None:
        self.wall = self.cpu = 0.0

    def wait(self, wall: float, cpu: float) -> None:
        self.wall, self.cpu = self.wall + wall, self.cpu + cpu


def stopwatch(clock: Clock) -> Stopwatch:
    return Stopwatch(lambda: clock.wall, lambda: clock.cpu)


def test_a_step_within_another_is_not_counted_twice() -> None:
    clock = Clock()
    watch = stopwatch(clock)
    with watch.step("ranges"):
        clock.wait(1, 2)
        with watch.step("calibration"):
            clock.wait(10, 20)
        clock.wait(3, 4)
    clock.wait(100, 100)  # between steps
    with watch.step("calibration"):
        clock.wait(5, 5)
    assert watch.lap() == (StepCost("ranges", 4, 6), StepCost("calibration", 15, 25))


def test_a_lap_is_what_was_done_since_the_last_one() -> None:
    clock = Clock()
    watch = stopwatch(clock)
    with watch.step("fit"):
        clock.wait(1, 1)
    assert watch.lap() == (StepCost("fit", 1, 1),)
    with watch.step("few-float"):
        clock.wait(2, 2)
    assert watch.lap() == (StepCost("few-float", 2, 2),)
    assert watch.lap() == ()


def test_a_step_that_fails_is_over() -> None:
    clock = Clock()
    watch = stopwatch(clock)
    try:
        with watch.step("fit"):
            clock.wait(1, 1)
            raise ValueError
    except ValueError:
        clock.wait(50, 50)
    assert watch.lap() == (StepCost("fit", 1, 1),)
