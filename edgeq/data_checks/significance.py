"""Whether one of two predictions is right significantly more often on the same samples (McNemar's exact test)."""

from math import comb

import numpy as np

# Several alternatives are tried, each looked at several times; sound samples must not be warned about.
_SURELY = 3e-4
_PLAINLY = 1e-6
_GAIN = 0.03  # of the samples: less is not worth a word


def surely_more(other: np.ndarray, right: np.ndarray) -> bool:
    """McNemar's exact test, one-sided, of paired truth values; and a gain large enough to report."""
    won, lost = int((other & ~right).sum()), int((right & ~other).sum())
    return won - lost >= _GAIN * len(right) and chance(won, lost) < _SURELY


def plainly_more(other: np.ndarray, right: np.ndarray) -> bool:
    """So much more often that no luck and no taste could explain it: twice as often, on most samples."""
    won, lost = int((other & ~right).sum()), int((right & ~other).sum())
    return bool(other.mean() >= max(0.5, 2 * right.mean())) and chance(won, lost) < _PLAINLY


def chance(won: int, lost: int) -> float:
    """Of at least `won` out of both, where each is as likely."""
    n = won + lost
    return sum(comb(n, k) for k in range(won, n + 1)) / 2**n if n else 1.0
