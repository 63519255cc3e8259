"""The learning rate at each step: up from zero over the first steps, then down along half a cosine."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class CosineSchedule:
    """Loshchilov and Hutter 2017 (SGDR, equation 5) without restarts, after a linear warm-up (Goyal et al. 2017).

        lr(t) = peak (t + 1) / warmup                                            for t < warmup
        lr(t) = end + (peak - end) (1 + cos(pi (t - warmup) / (steps - warmup))) / 2   after it

    `steps`: of all epochs together; the rate at the last one is just above `end`, which step number `steps` would have.
    """

    peak: float
    steps: int
    warmup: int = 0
    end: float = 0.0

    def __post_init__(self) -> None:
        """Raises ValueError for a schedule that is none."""
        if self.steps < 1:
            raise ValueError(f"a schedule of {self.steps} steps: expected 1 or more")
        if not 0 <= self.warmup < self.steps:
            raise ValueError(
                f"a warm-up of {self.warmup} steps of {self.steps}: expected fewer than all, or 0"
            )
        if not 0.0 <= self.end <= self.peak:
            raise ValueError(
                f"a rate from {self.peak} to {self.end}: expected one that does not rise, or is negative"
            )

    def at(self, step: int) -> float:
        """The learning rate at `step`, from 0; at and after the end it is `end`."""
        if step < self.warmup:
            return self.peak * (step + 1) / self.warmup
        done = min((step - self.warmup) / (self.steps - self.warmup), 1.0)
        return self.end + (self.peak - self.end) * (1 + math.cos(math.pi * done)) / 2
