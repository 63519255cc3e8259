"""Reports what a command does while it runs: each noun is passed to one function."""

from collections.abc import Callable
from typing import Any

Tell = Callable[[Any], None]


class _Silence:
    def __call__(self, noun: object) -> None:
        pass

    def __repr__(self) -> str:
        return "silence"


silence = _Silence()
"""The default listener: nobody."""
