"""What the steps of a candidate cost: seconds on the wall, and of this process on all its cores."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from edgeq.nouns.passes import StepCost

Clock = Callable[[], float]

OPEN = "open"
"""The step in which a candidate's float graph is read and run, before any pass."""


class Stopwatch:
    """A step that is begun within another has its own line: its time is not in the outer one's. A step that is begun several
    times is added up. CPU seconds are those of the whole process, so steps that run at the same time are not told apart.
    """

    def __init__(self, wall: Clock = time.monotonic, cpu: Clock = time.process_time) -> None:
        self._wall, self._cpu = wall, cpu
        self._running: list[str] = []
        self._spent: dict[str, tuple[float, float]] = {}
        self._since = (wall(), cpu())

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        self._charge()
        self._spent.setdefault(name, (0.0, 0.0))
        self._running.append(name)
        try:
            yield
        finally:
            self._charge()
            self._running.pop()

    def lap(self) -> tuple[StepCost, ...]:
        """Of the steps since the last lap, in the order in which they were begun."""
        self._charge()
        spent, self._spent = self._spent, {}
        return tuple(StepCost(name, round(wall, 3), round(cpu, 3)) for name, (wall, cpu) in spent.items())

    def _charge(self) -> None:
        """The time since the last charge, to the step that is running."""
        now = (self._wall(), self._cpu())
        if self._running:
            wall, cpu = self._spent.get(self._running[-1], (0.0, 0.0))
            since_wall, since_cpu = self._since
            self._spent[self._running[-1]] = (wall + now[0] - since_wall, cpu + now[1] - since_cpu)
        self._since = now
