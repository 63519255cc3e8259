"""Gives single tensors another way than the rest, where the model's outputs come measurably closer to float by it.

An outlier that is noise in one tensor is the answer in another, so no way is best for all. But each change of a range
also throws the dice of all roundings behind it anew, by a few tenths of a decibel; who takes every gain collects luck,
which the next samples do not repeat. So a change counts where the samples agree on it, and all changes together are
tried again on samples that had no say in them.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from edgeq.quantize.calibration.observers.mse import squared_error
from edgeq.quantize.calibration.tensor_stats import Seen
from edgeq.quantize.evaluate.closeness import Doubles

Ways = Mapping[str, str]  # tensor to the name of its way

_SURE = 2.0  # standard errors of the mean
_FEWEST = 16  # samples, below which a standard error says nothing
_MEANS_SOMETHING = 0.01  # of the noise of all tensors together: 0.04 dB


@dataclass(frozen=True)
class Try:
    tensor: str
    way: str


def tries(
    seen: Mapping[str, Seen],
    tensors: tuple[str, ...],
    ranges: Mapping[str, Mapping[str, tuple[float, float]]],
    start: str,
    levels: int,
) -> list[Try]:
    """Each tensor with each way but `start` that makes a difference, the largest first.

    `ranges` has the ranges by way and tensor. What a range costs the tensor itself is known from its histogram; its
    share of the tensor's signal stands for the one at the outputs, where the shares of all tensors add up.
    """
    known = [tensor for tensor in tensors if seen[tensor].bins is not None]
    share = {
        (tensor, way): squared_error(seen[tensor], ranges[way][tensor], levels).share
        for tensor in known
        for way in ranges
    }
    least = _MEANS_SOMETHING * sum(share[tensor, start] for tensor in known)
    change = {key: abs(s - share[key[0], start]) for key, s in share.items() if key[1] != start}
    found = sorted((key for key in change if change[key] > least), key=lambda key: -change[key])
    return [Try(*key) for key in found]


def refined(
    start: str,
    tensors: tuple[str, ...],
    candidates: list[Try],
    noise: Callable[[Ways], Doubles],
) -> dict[str, str]:
    """The way of each tensor. `noise` measures [samples, outputs]; it is called once for each of `candidates`, and once
    more.
    """
    ways = dict.fromkeys(tensors, start)
    now = noise(ways)
    if len(now) < _FEWEST:
        return ways
    # The gain in decibels at an output is that in noise over its noise: outputs count alike.
    weights = 1.0 / np.maximum(now.sum(axis=0), 1e-30)
    for candidate in candidates:
        tried = {**ways, candidate.tensor: candidate.way}
        then = noise(tried)
        if surely_less(now @ weights, then @ weights):
            ways, now = tried, then
    return ways


def surely_less(before: Doubles, after: Doubles, sure: float = _SURE) -> bool:
    """Whether the mean over samples fell by more than `sure` of its standard errors."""
    change = after - before
    error = float(change.std(ddof=1)) * np.sqrt(len(change)) if len(change) > 1 else np.inf
    return float(change.sum()) < -sure * error


def counted(ways: Ways) -> Iterator[str]:
    """'name (how many tensors)', the most frequent first."""
    names = list(ways.values())
    for name in sorted(set(names), key=lambda n: (-names.count(n), n)):
        yield f"{name} ({names.count(name)})"
