"""Progress on stderr: one bar at a time with the time that is left, gone when its step is done. Where nobody watches, a line as each
step begins.
"""

import time
from collections.abc import Callable

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    ProgressColumn,
    Task,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.progress import Progress as RichBars
from rich.text import Text

from edgeq.cli.printable import echo
from edgeq.nouns.progress import Progress

_BAR = 20  # characters
_ALL_WORTH_S = 5.0  # by which everything takes longer than the step, where that is worth a word


class Bars:
    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console, self._clock = console, clock
        self._bars: RichBars | None = None
        self._step: tuple[str, str, bool] | None = None
        self._announced = ""

    def draw(self, progress: Progress) -> None:
        if not self._console.is_terminal:
            self._announce(progress)
            return
        step = (progress.step, progress.unit, progress.total is None)
        if self._step != step:
            self.clear()
            columns = _columns(progress, self._clock)
            self._bars = RichBars(*columns, console=self._console, transient=True)
            self._bars.add_task(progress.step, total=progress.total, detail=progress.detail)
            self._bars.start()
            self._step = step
        if self._bars is not None:
            self._bars.update(
                self._bars.task_ids[0],
                completed=progress.done,
                total=progress.total,
                left=Countdown.of(progress, self._clock()),
                detail=progress.detail,
            )

    def _announce(self, progress: Progress) -> None:
        """A step that only says that it has begun is for those who watch."""
        only_begun = progress.total == 1.0 and progress.unit == "" and progress.done == 0.0
        if progress.step == self._announced or only_begun:
            return
        self._announced = progress.step
        longest = f", at most {progress.total:g} s" if progress.unit == "s" and progress.total else ""
        echo(f"{'working':<10}{progress.step}{longest}", err=True)

    def clear(self) -> None:
        if self._bars is not None:
            self._bars.stop()
        self._bars, self._step = None, None


class Countdown:
    """What was left `at` a time; it goes on between two events."""

    def __init__(self, step_s: float | None, all_s: float | None, at: float) -> None:
        self._step_s, self._all_s, self._at = step_s, all_s, at

    @classmethod
    def of(cls, progress: Progress, now: float) -> "Countdown":
        if progress.unit == "s" and progress.total is not None:
            return cls(progress.total - progress.done, None, now)
        return cls(progress.left_s, progress.all_left_s, now)

    def words(self, now: float) -> str:
        """ "0:12 left", "0:12 left, 2:30 in all"; empty where nothing is known."""
        since = now - self._at
        step = None if self._step_s is None else max(self._step_s - since, 0.0)
        if step is None:
            return "" if self._all_s is None else f"{clock(max(self._all_s - since, 0.0))} left in all"
        whole = None if self._all_s is None else step + max(self._all_s - (self._step_s or 0.0), 0.0)
        more = whole is not None and whole >= step + _ALL_WORTH_S
        return f"{clock(step)} left" + (f", {clock(whole or 0.0)} in all" if more else "")


def clock(seconds: float) -> str:
    """ "0:07", "12:30", "1:02:00"; a second that has begun counts."""
    whole = int(-(-seconds // 1))
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


class _Left(ProgressColumn):
    def __init__(self, now: Callable[[], float]) -> None:
        super().__init__()
        self._now = now

    def render(self, task: Task) -> Text:
        left: Countdown | None = task.fields.get("left")
        return Text("" if left is None else left.words(self._now()), style="progress.remaining")


def _columns(progress: Progress, now: Callable[[], float]) -> tuple[ProgressColumn, ...]:
    name, bar = TextColumn("{task.description:<10}"), BarColumn(_BAR)
    if progress.unit == "B":
        return name, bar, DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn()
    if progress.total is None:
        return (
            name,
            bar,
            _Left(now) if (progress.left_s, progress.all_left_s) != (None, None) else TimeElapsedColumn(),
        )
    return name, bar, TaskProgressColumn(), _Left(now), TextColumn("{task.fields[detail]}")
