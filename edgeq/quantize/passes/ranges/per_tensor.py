"""Chooses another calibrator for single tensors, where it significantly reduces the error of the model's outputs.

An outlier that can be clipped in one tensor decides the output in another, so no calibrator is best for all. But each
change of a range also changes all rounding behind it, which alone moves the outputs by a few tenths of a decibel: taking
every gain would fit the samples. So a change needs a gain of two standard errors over the samples, and all changes
together are checked on held-out samples.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from edgeq.quantize.calibration.observers.mse import squared_error
from edgeq.quantize.calibration.tensor_stats import TensorStats
from edgeq.quantize.evaluate.evaluator import Noise, output_weights, surely_less

Ways = Mapping[str, str]  # tensor to the name of its way

_FEWEST = 16  # samples, below which a standard error is meaningless
_SIGNIFICANT = 0.01  # of the noise of all tensors together: 0.04 dB


@dataclass(frozen=True)
class Try:
    tensor: str
    way: str


def tries(
    stats: Mapping[str, TensorStats],
    tensors: tuple[str, ...],
    ranges: Mapping[str, Mapping[str, tuple[float, float]]],
    start: str,
    levels: int,
) -> list[Try]:
    """Each tensor with each calibrator but `start` that makes a difference, the largest first.

    `ranges` has the ranges by calibrator and tensor. The histogram gives the squared error of a range; relative to the
    tensor's signal it approximates its share of the outputs' error, where the shares of all tensors add up.
    """
    known = [tensor for tensor in tensors if stats[tensor].bins is not None]
    share = {
        (tensor, way): squared_error(stats[tensor], ranges[way][tensor], levels).share
        for tensor in known
        for way in ranges
    }
    least = _SIGNIFICANT * sum(share[tensor, start] for tensor in known)
    change = {key: abs(s - share[key[0], start]) for key, s in share.items() if key[1] != start}
    found = sorted((key for key in change if change[key] > least), key=lambda key: -change[key])
    return [Try(*key) for key in found]


def refined(
    start: str,
    tensors: tuple[str, ...],
    candidates: list[Try],
    noise: Callable[[Ways], Noise],
) -> dict[str, str]:
    """The calibrator of each tensor. `noise` measures [samples, outputs]; it is called once for each of `candidates`, and
    once more.
    """
    ways = dict.fromkeys(tensors, start)
    now = noise(ways)
    if len(now) < _FEWEST:
        return ways
    weights = output_weights(now)
    for candidate in candidates:
        tried = {**ways, candidate.tensor: candidate.way}
        then = noise(tried)
        if surely_less(now, then, weights):
            ways, now = tried, then
    return ways


def counted(ways: Ways) -> Iterator[str]:
    """'name (how many tensors)', the most frequent first."""
    names = list(ways.values())
    for name in sorted(set(names), key=lambda n: (-names.count(n), n)):
        yield f"{name} ({names.count(name)})"
