"""How many bits the weights of each layer get, where they have a number of bits on average.

A bit less makes the noise of a layer's weights four times as strong. The least noise in the outputs for a number of bits in all so has
b = c + log2(h / n) / 2 for a layer of n weights, of which h is heard in the outputs at any same number of bits (heard_noise.py), by the
method of Lagrange (as reverse water-filling, Cover and Thomas, "Elements of information theory", 10.3.3). What is heard of one layer alone
counts by its root: the fit makes up for some of the noise before it, most where that is loud. Fitted so, ResNet-20 has at 3 and 2.5 bits
17.9 and 14.6 dB, 17.8 and 14.2 with h itself, 17.2 and 13.1 with the same h for each layer; MobileNetV2 at 4.5 bits 13.3 and 12.6 dB.
"""

from collections.abc import Mapping
from math import log2

_FEWEST, _MOST = 2.0, 8.0
_HALVINGS = 50
_COUNTS = 0.5  # the power of what is heard
_LEAST = 1e-12  # of what is heard in all: a layer whose weights lie on few levels already loses nothing


def bits_by_layer(
    weights: Mapping[str, int],
    average: float,
    kept_whole: int = 0,
    heard: Mapping[str, float] | None = None,
) -> dict[str, float]:
    """Of the numbers of weights of each layer; their mean over all weights is `average`, each between 2 and 8. `kept_whole` is the number
    of weights beside these that keep 8 bits and count in the mean, which is missed where 2 for all others are not few enough. `heard` in the
    outputs, by layer; None: of each the same.
    """
    budget = average * (sum(weights.values()) + kept_whole) - _MOST * kept_whole
    total = sum(heard.values()) if heard else 0.0
    shares = {
        name: max(heard[name] / total, _LEAST) ** _COUNTS if heard and total else 1.0 for name in weights
    }
    usual = {name: log2(shares[name] / count) / 2 for name, count in weights.items()}
    low, high = _FEWEST - max(usual.values(), default=0.0), _MOST - min(usual.values(), default=0.0)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        taken = sum(_clipped(middle + usual[name]) * count for name, count in weights.items())
        low, high = (low, middle) if taken > budget else (middle, high)
    return {name: _clipped(low + usual[name]) for name in weights}


def _clipped(bits: float) -> float:
    return min(max(bits, _FEWEST), _MOST)
