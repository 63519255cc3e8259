"""The paired accuracy comparison of a candidate with float on the same samples: the difference, its interval, and how many
held-out samples it takes until the interval's lower end keeps a limit.
"""

import math
from dataclasses import dataclass, replace
from statistics import NormalDist

from edgeq.nouns.fidelity import Accuracy, Bound

NO_NUMBER = "more samples would not help: the drop itself exceeds the limit"
_MOST = 2**50  # samples; more is none


def quantile(confidence: float) -> float:
    """z of the two-sided normal interval that covers `confidence` percent: 1.96 for 95."""
    return NormalDist().inv_cdf(0.5 + confidence / 200)


@dataclass(frozen=True)
class PairedCounts:
    """Of `samples`, float alone is right on `lost`, the candidate alone on `won` (the cells of McNemar's test)."""

    lost: int
    won: int
    samples: int

    @property
    def difference(self) -> float:
        """Candidate's accuracy minus float's, in points: (won - lost) / samples."""
        return 100.0 * (self.won - self.lost) / self.samples

    def interval(self, confidence: float) -> tuple[float, float]:
        """The difference's two-sided interval (low, high) at `confidence` percent, in points.

        It is the adjusted Wald interval for matched pairs of Agresti & Min, "Simple improved confidence intervals for
        comparing matched proportions", Statistics in Medicine 24 (2005): half an observation is added to each of the
        four cells, which keeps its coverage where lost + won is small, as it is here.
        """
        return _interval(self.lost, self.won, self.samples, quantile(confidence))

    def samples_needed(self, drop: float, confidence: float) -> int | None:
        """The fewest samples, the same shares of them lost and won, whose interval ends no lower than `-drop` points;
        None where no number is enough, since the difference itself is no better than that.

        The interval's end is increasing in their number: found by bisection.
        """
        if self.difference <= -drop:
            return None
        z = quantile(confidence)
        lost, won = self.lost / self.samples, self.won / self.samples

        def enough(n: int) -> bool:
            return _interval(lost * n, won * n, n, z)[0] >= -drop

        high = 1
        while not enough(high):
            high *= 2
            if high > _MOST:
                return None
        low = high // 2
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if enough(middle) else (middle, high)
        return high


def has_interval(accuracy: Accuracy) -> bool:
    """Not where every draw of the bootstrap of a user's metric gave the same difference: that says nothing about samples
    that were not drawn.
    """
    return accuracy.low < accuracy.high


def bound_of(accuracy: Accuracy, max_drop: float) -> Bound:
    """Of an accuracy that has an interval, at its own confidence."""
    return Bound(
        accuracy.confidence, max_drop, accuracy.low, accuracy.samples, _samples_needed(accuracy, max_drop)
    )


def passed(bound: Bound) -> bool:
    return bound.low >= -bound.max_drop


def words_of_need(bound: Bound) -> str:
    """How many samples it takes, or why no number would do."""
    if bound.samples_needed is None:
        return NO_NUMBER
    return f"with differences such as these that takes {bound.samples_needed:,} held-out samples"


def least_samples(max_drop: float, confidence: float) -> int | None:
    """What a candidate needs that answers as float does on every sample; None where not even that is enough."""
    return PairedCounts(0, 0, 1).samples_needed(max_drop, confidence)


def at_confidence(accuracy: Accuracy, confidence: float) -> Accuracy | None:
    """The same figures with their interval at another level; None where they do not give it."""
    if accuracy.confidence == confidence:
        return accuracy
    if accuracy.lost is None or accuracy.won is None:
        return None
    low, high = PairedCounts(accuracy.lost, accuracy.won, accuracy.samples).interval(confidence)
    return replace(accuracy, low=low, high=high, confidence=confidence)


def _samples_needed(a: Accuracy, max_drop: float) -> int | None:
    """From the counts where there are any; else by the interval's lower half, which shrinks with the square root of the
    number of samples.
    """
    if a.lost is not None and a.won is not None:
        return PairedCounts(a.lost, a.won, a.samples).samples_needed(max_drop, a.confidence)
    room = a.difference + max_drop
    if room <= 0.0:
        return None
    return max(1, math.ceil(a.samples * ((a.difference - a.low) / room) ** 2))


def _interval(lost: float, won: float, samples: int, z: float) -> tuple[float, float]:
    total = samples + 2
    p_lost, p_won = (lost + 0.5) / total, (won + 0.5) / total
    centre = p_won - p_lost
    half = z * (max(p_won + p_lost - centre**2, 0.0) / total) ** 0.5
    return 100.0 * max(-1.0, centre - half), 100.0 * min(1.0, centre + half)
