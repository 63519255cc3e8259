"""Reports what a command does while it runs: each event, a data class of edgeq/nouns, is passed to one function."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from edgeq.nouns.progress import Progress
from edgeq.request.time_left import TimeLeft

Tell = Callable[[Any], None]


class _Silence:
    def __call__(self, event: object) -> None:
        pass

    def __repr__(self) -> str:
        return "silence"


silence = _Silence()
"""Ignores every event: the default."""


def shares(tell: Tell, of: str = "", times: TimeLeft | None = None) -> Callable[[str, float], None]:
    """Reports a step with the share of it that is done, and the time that is left; `of` what, where that has to be said. `times`
    knows what else is planned.
    """
    times = times or TimeLeft()

    def told(step: str, share: float) -> None:
        left = times.at(of, step, share)
        tell(Progress(f"{of}: {step}" if of else step, share, 1.0, "", left.step, left.all))

    return told


def timed(tell: Tell, times: TimeLeft) -> Tell:
    """Adds the time that is left to a step that only says that it begins."""

    def told(event: Any) -> None:
        if isinstance(event, Progress) and event.total is None:
            left = times.at("", event.step, 0.0)
            event = replace(event, left_s=left.step, all_left_s=left.all)
        tell(event)

    return told
