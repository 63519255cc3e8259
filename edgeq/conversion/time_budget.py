"""Which candidates are still made within --time-budget, in the order of what they are expected to gain."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from edgeq.nouns.plan import CandidatePlan


def in_order_of_gain(
    candidates: Sequence[CandidatePlan], max_bytes: int | None, weights: int
) -> list[CandidatePlan]:
    """Float, which all are compared with; what the plan expects to be faster, in its order; the same with fewer bits, of which with
    `max_bytes` the most bits that are likely to fit `weights` weights come first; then what is expected to be slower than float.
    """
    floats = [i for i, c in enumerate(candidates) if c.recipe == "float"]
    slow = {c.id for c in candidates[max(floats, default=len(candidates)) :]}
    return sorted(
        candidates,
        key=lambda c: (
            c.recipe != "float",
            c.id in slow,
            c.weight_bits not in (None, 8),
            _likely_too_large(c, max_bytes, weights),
        ),
    )


def _likely_too_large(candidate: CandidatePlan, max_bytes: int | None, weights: int) -> bool:
    bits = candidate.weight_bits
    return bits is not None and max_bytes is not None and weights * bits / 8 > max_bytes


@dataclass
class TimeBudget:
    """`seconds` from `began` (time.monotonic) on; None: no limit. `made` records each candidate; float is always made, and others
    until a quantized one passed the gate.
    """

    began: float
    seconds: float | None
    now: Callable[[], float] = time.monotonic
    _took: list[tuple[CandidatePlan, float]] = field(default_factory=list)
    _passed: bool = False

    def why_not(self, candidate: CandidatePlan) -> str:
        """Empty where it is to be made."""
        if self.seconds is None or candidate.recipe == "float" or not self._passed:
            return ""
        spent, takes = self.now() - self.began, self._expected(candidate)
        if spent + takes <= self.seconds:
            return ""
        return (
            f"--time-budget {self.seconds:g} s: {spent:.0f} s are over, and it would take about {takes:.0f} s"
        )

    def made(self, candidate: CandidatePlan, seconds: float, *, passed: bool) -> None:
        self._took.append((candidate, seconds))
        self._passed = self._passed or (passed and candidate.recipe != "float")

    def _expected(self, candidate: CandidatePlan) -> float:
        """As long as those of its recipe and runtime; else as the mean of those that were quantized."""
        alike = _times(
            (c, s) for c, s in self._took if (c.recipe, c.runtime) == (candidate.recipe, candidate.runtime)
        )
        return fmean(alike or _times((c, s) for c, s in self._took if c.recipe != "float") or [0.0])


def _times(took: Iterable[tuple[CandidatePlan, float]]) -> list[float]:
    return [seconds for _, seconds in took]
