"""The factor s_j by which each channel is divided and its row of weights multiplied, chosen by the error of the product.

    s_j = max|x_j|^a / max|w_j|^(1 - a)         SmoothQuant with migration strength a (Xiao et al. 2022, eq. 4)
    s_j = max(1, max|x_j| / t)                  only outlier channels: those above a threshold t that most stay below

The second leaves most weights as they are, which is better behind a GELU, where a few channels are a hundred times as
large as the rest.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgeq.quantize.numerics import INT8, UINT8, Granularity, affine, round_trip, symmetric

Floats = npt.NDArray[np.float32]

_POWERS = (0.5, 0.6, 0.7, 0.8, 0.9)
_LEVELS = (0.5, 0.75, 0.9, 0.95, 0.98, 0.99)  # shares of the channels that stay below t
_COLUMNS = 512  # of the weights, evenly spread: enough to tell factors apart
_FLOOR = 1e-4  # of the largest: the factor of a channel that is always zero stays within the range of float32
_ROWS = 32  # of one sample: those of an image or a sentence are much alike


@dataclass(frozen=True, eq=False)
class ChannelStats:
    """Of one sample: some of a tensor's `rows` [rows, channels], and the range of each channel over all, [channels]."""

    rows: Floats
    low: Floats
    high: Floats

    @staticmethod
    def of(values: Floats) -> "ChannelStats":
        rows = values.reshape(-1, values.shape[-1])
        some = rows[np.linspace(0, len(rows) - 1, min(len(rows), _ROWS)).astype(int)]
        return ChannelStats(some, rows.min(axis=0), rows.max(axis=0))


@np.errstate(over="ignore", invalid="ignore")  # squares of huge values: no factors gain anything then
def best_factors(stats: Sequence[ChannelStats], weights: Floats, worthwhile_db: float) -> Floats | None:
    """[channels], or None where no factors reduce the error of the product with `weights` [channels, out] by
    `worthwhile_db`.

    Both are in 8 bits: activations dynamically quantized, with one affine scale per sample, weights with one per column.
    """
    if not all(np.isfinite((s.low, s.high)).all() for s in stats):
        return None  # an infinity stays one, divided by any factor
    some = weights[:, np.linspace(0, weights.shape[1] - 1, min(weights.shape[1], _COLUMNS)).astype(int)]
    exact = np.concatenate([s.rows for s in stats]) @ some
    signal = float(np.sum(np.square(exact)))

    def sqnr(factors: Floats) -> float:
        error = _quantized_rows(stats, factors) @ _quantized_weights(some, factors) - exact
        noise = float(np.sum(np.square(error)))
        return 10 * float(np.log10(max(signal, 1e-30) / max(noise, 1e-30)))

    found = [(sqnr(factors), factors) for factors in _candidates(stats, weights)]
    best, factors = max(found, key=lambda pair: pair[0])
    plain = sqnr(np.ones(len(weights), np.float32))
    return factors if best >= plain + worthwhile_db else None


def _candidates(stats: Sequence[ChannelStats], weights: Floats) -> Iterator[Floats]:
    x = _floored(np.max([np.maximum(np.abs(s.low), np.abs(s.high)) for s in stats], axis=0))
    w = _floored(np.abs(weights).max(axis=1))
    for a in _POWERS:
        s = x**a / w ** (1 - a)
        yield np.asarray(s / np.exp(np.mean(np.log(s))), np.float32)
    for share in _LEVELS:
        yield np.asarray(np.maximum(1.0, x / np.quantile(x, share)), np.float32)


def _floored(sizes: Floats) -> npt.NDArray[np.float64]:
    return np.maximum(sizes.astype(np.float64), max(_FLOOR * float(sizes.max()), 1e-30))


def _quantized_rows(stats: Sequence[ChannelStats], factors: Floats) -> Floats:
    """The rows of all samples, divided, quantized to 8 bits and dequantized."""
    ends = [((s.low / factors).min(), (s.high / factors).max()) for s in stats]
    return np.concatenate(
        [round_trip(s.rows / factors, affine(*e, UINT8)) for s, e in zip(stats, ends, strict=True)]
    )


def _quantized_weights(weights: Floats, factors: Floats) -> Floats:
    """Weights, multiplied, quantized to 8 bits and dequantized."""
    scaled = weights * factors[:, None]
    each = Granularity(axis=1)
    return round_trip(scaled, symmetric(*each.extremes(scaled), INT8, each))
