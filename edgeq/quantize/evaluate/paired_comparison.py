"""What right answers of float and of a candidate on the same samples tell: the difference, its interval, and how many
samples it takes to bound it. Knows no arrays and no gates.
"""

from dataclasses import dataclass
from statistics import NormalDist

_MOST = 2**50  # samples; more is none


def quantile(confidence: float) -> float:
    """z of the two-sided normal interval that covers `confidence` percent: 1.96 for 95."""
    return NormalDist().inv_cdf(0.5 + confidence / 200)


@dataclass(frozen=True)
class Pairs:
    """Of `samples`, `lost` are right in float only, `won` in the candidate only."""

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


def _interval(lost: float, won: float, samples: int, z: float) -> tuple[float, float]:
    total = samples + 2
    p_lost, p_won = (lost + 0.5) / total, (won + 0.5) / total
    centre = p_won - p_lost
    half = z * (max(p_won + p_lost - centre**2, 0.0) / total) ** 0.5
    return 100.0 * max(-1.0, centre - half), 100.0 * min(1.0, centre + half)
