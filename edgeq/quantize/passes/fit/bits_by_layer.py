"""How many bits the weights of each layer get, where they have a number of bits on average.

Where rounding each layer is heard alike in the outputs, and a bit less makes its noise four times as strong, the least noise for a number
of bits in all has a bit more for a fourth of the weights: b = c - log2(n) / 2, by the method of Lagrange (as reverse
water-filling, Cover and Thomas, "Elements of information theory", 10.3.3).
"""

from collections.abc import Mapping
from math import log2

_FEWEST, _MOST = 2.0, 8.0
_HALVINGS = 40


def bits_by_layer(weights: Mapping[str, int], average: float, kept_whole: int = 0) -> dict[str, float]:
    """Of the numbers of weights of each layer; their mean over all weights is `average`, each between 2 and 8. `kept_whole` is the number
    of weights beside these that keep 8 bits and count in the mean, which is missed where 2 for all others are not few enough.
    """
    budget = average * (sum(weights.values()) + kept_whole) - _MOST * kept_whole
    low, high = 0.0, 64.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        found = {name: _clipped(middle - log2(count) / 2) for name, count in weights.items()}
        total = sum(found[name] * count for name, count in weights.items())
        low, high = (low, middle) if total > budget else (middle, high)
    return {name: _clipped(high - log2(count) / 2) for name, count in weights.items()}


def _clipped(bits: float) -> float:
    return min(max(bits, _FEWEST), _MOST)
