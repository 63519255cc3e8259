"""How a story is told while it happens: every noun it comes by is handed to one function."""

from collections.abc import Callable
from typing import Any

Tell = Callable[[Any], None]


def silence(noun: Any) -> None:
    """The default listener: nobody."""
