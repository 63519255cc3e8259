"""Factors by which channels are divided and the rows of weights behind them multiplied, chosen by the product's error.

    s_j = max|x_j|^a / max|w_j|^(1 - a)         SmoothQuant's, which evens out all channels (Xiao et al. 2022, eq. 4)
    s_j = max(1, max|x_j| / t)                  only those that stick out, down to a level t that most stay below

The second leaves most weights alone, which is better behind a GELU, where a handful of channels is a hundred times as
large as the rest.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from edgeq.quantize.numerics import INT8, UINT8, Granularity, affine, round_trip, symmetric
from edgeq.quantize.passes.smooth.channel_stats import Seen

Floats = npt.NDArray[np.float32]

_POWERS = (0.5, 0.6, 0.7, 0.8, 0.9)
_LEVELS = (0.5, 0.75, 0.9, 0.95, 0.98, 0.99)  # shares of the channels that stay below t
_COLUMNS = 512  # of the weights, evenly spread: enough to tell factors apart
_FLOOR = (
    1e-4  # of the largest; a channel that is never anything keeps a factor of its own within float32's room
)


@np.errstate(over="ignore", invalid="ignore")  # squares of huge values: nothing is won by any factors then
def best_factors(seen: Sequence[Seen], weights: Floats, worthwhile_db: float) -> Floats | None:
    """[channels], or None where the product of `weights` [channels, out] is won less than `worthwhile_db` by any.

    The error is that of the product in 8 bits: activations with one affine scale a sample, as onnxruntime quantizes
    them when they come, weights with one a column.
    """
    if not all(np.isfinite((s.low, s.high)).all() for s in seen):
        return None  # an infinity stays one, divided by any factor
    some = weights[:, np.linspace(0, weights.shape[1] - 1, min(weights.shape[1], _COLUMNS)).astype(int)]
    exact = np.concatenate([s.rows for s in seen]) @ some
    signal = float(np.sum(np.square(exact)))

    def closeness(factors: Floats) -> float:
        noise = float(np.sum(np.square(_rounded(seen, factors) @ _kept(some, factors) - exact)))
        return 10 * float(np.log10(max(signal, 1e-30) / max(noise, 1e-30)))

    found = [(closeness(factors), factors) for factors in _candidates(seen, weights)]
    best, factors = max(found, key=lambda pair: pair[0])
    plain = closeness(np.ones(len(weights), np.float32))
    return factors if best >= plain + worthwhile_db else None


def _candidates(seen: Sequence[Seen], weights: Floats) -> Iterator[Floats]:
    x = _floored(np.max([np.maximum(np.abs(s.low), np.abs(s.high)) for s in seen], axis=0))
    w = _floored(np.abs(weights).max(axis=1))
    for a in _POWERS:
        s = x**a / w ** (1 - a)
        yield np.asarray(s / np.exp(np.mean(np.log(s))), np.float32)
    for share in _LEVELS:
        yield np.asarray(np.maximum(1.0, x / np.quantile(x, share)), np.float32)


def _floored(sizes: Floats) -> npt.NDArray[np.float64]:
    return np.maximum(sizes.astype(np.float64), max(_FLOOR * float(sizes.max()), 1e-30))


def _rounded(seen: Sequence[Seen], factors: Floats) -> Floats:
    """The rows of all samples, divided, as they come back from 8 bits."""
    ends = [((s.low / factors).min(), (s.high / factors).max()) for s in seen]
    return np.concatenate(
        [round_trip(s.rows / factors, affine(*e, UINT8)) for s, e in zip(seen, ends, strict=True)]
    )


def _kept(weights: Floats, factors: Floats) -> Floats:
    """Weights, multiplied, as they come back from 8 bits."""
    scaled = weights * factors[:, None]
    each = Granularity(axis=1)
    return round_trip(scaled, symmetric(*each.extremes(scaled), INT8, each))
