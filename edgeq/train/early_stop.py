"""When to stop: validation has not improved for some evaluations in a row. Frozen, so that a checkpoint can hold it."""

import math
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class EarlyStop:
    """`seen` returns the next state. `patience`: how many evaluations without a better one end the training, 0 none ever does.
    `least`: by how much a score has to exceed the best to count as better. Higher scores are better: give a loss with its sign
    changed. `best_at` counts evaluations from 0; None before the first.
    """

    patience: int
    least: float = 0.0
    best: float = -math.inf
    best_at: int | None = None
    evaluations: int = 0

    def seen(self, score: float) -> "EarlyStop":
        """After one more evaluation. NaN is never better."""
        after = replace(self, evaluations=self.evaluations + 1)
        if score > self.best + self.least or (self.best_at is None and not math.isnan(score)):
            return replace(after, best=score, best_at=self.evaluations)
        return after

    @property
    def improved(self) -> bool:
        """Whether the last evaluation was the best."""
        return self.best_at is not None and self.best_at == self.evaluations - 1

    @property
    def stops(self) -> bool:
        since = self.evaluations - 1 - (-1 if self.best_at is None else self.best_at)
        return self.patience > 0 and since >= self.patience
