"""Reports what a command does while it runs: each event, a data class of edgeq/nouns, is passed to one function."""

from collections.abc import Callable
from typing import Any

from edgeq.nouns.progress import Progress

Tell = Callable[[Any], None]


class _Silence:
    def __call__(self, event: object) -> None:
        pass

    def __repr__(self) -> str:
        return "silence"


silence = _Silence()
"""Ignores every event: the default."""


def shares(tell: Tell, of: str = "") -> Callable[[str, float], None]:
    """Reports a step with the share of it that is done; `of` what, where that has to be said."""
    return lambda step, share: tell(Progress(f"{of}: {step}" if of else step, share, 1.0, ""))
