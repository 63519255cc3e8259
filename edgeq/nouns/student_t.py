"""Quantiles of Student's t, which the report and the agent's rules for ending a race share."""

from functools import lru_cache
from math import atan, cos, pi, sin, sqrt

_STEPS = 60  # halvings: far below the last digit that anybody prints


@lru_cache(maxsize=256)
def student_t(outside: float, freedom: int) -> float:
    """Of a t with `freedom` degrees, the value that the share `outside` lies beyond, both sides together: 0.05 for 95 %."""
    low, high = 0.0, 1.0
    while _inside(high, freedom) < 1 - outside:
        low, high = high, 2 * high
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if _inside(middle, freedom) < 1 - outside else (low, middle)
    return high


def _inside(t: float, freedom: int) -> float:
    """The probability of -t to t: Abramowitz and Stegun 26.7.3 (odd degrees of freedom) and 26.7.4 (even)."""
    angle = atan(t / sqrt(freedom))
    odd = freedom % 2
    term = cos(angle) if odd else 1.0
    total = 0.0
    for k in range(1 + odd, freedom, 2):
        total += term
        term *= cos(angle) ** 2 * k / (k + 1)
    return 2 / pi * (angle + sin(angle) * total) if odd else sin(angle) * total
