"""How often and how long to wait before the next try."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class BackOff:
    """`tries` in a row that gain nothing, then give up. The wait doubles from `first_s` up to `longest_s`, and is
    shortened by up to half at random so that many hosts do not come back at the same moment.
    """

    tries: int = 4
    first_s: float = 0.5
    longest_s: float = 8.0
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = random.random

    def wait(self, failures: int) -> None:
        """After the `failures`-th failure in a row, counted from 1."""
        longest = min(self.first_s * 2 ** (failures - 1), self.longest_s)
        self.sleep(longest * (1 - self.chance() / 2))
