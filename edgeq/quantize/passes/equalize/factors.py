"""Factors by which the channels between two layers are divided, from what they hold on calibration samples.

    s_j = sqrt(max|x_j| / max|x|)               half of the way, in decibels, to channels that are all as large

One scale serves all channels, so a channel a tenth as large as the largest has a tenth of its levels. The whole way is too
far: the second layer's weights pay for it, where they have a scale per output, and every channel then has its largest
values at the range's end. DS-CNN, 29.0 dB as it is: half of the way 31.0 dB, three quarters 30.0, all of it 29.1.
Nagel et al., "Data-free quantization through weight equalization and bias correction", 2019, divide by
sqrt(max|w1_j| / max|w2_j|), which here is no better: weights have a scale per channel already, activations do not.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgeq.quantize.passes.equalize.pairs import Pair
from edgeq.quantize.passes.equalize.scaled import Floats, along_channels, by_channel

Doubles = npt.NDArray[np.float64]

_SMALLEST = 0.02  # of the largest channel: one that hardly ever held anything may hold more in other samples


@dataclass(frozen=True, eq=False)
class Channels:
    """What was seen of each: extremes (zero among them) and the mean square, [channels]."""

    low: Doubles
    high: Doubles
    power: Doubles

    @staticmethod
    def of(values: Floats) -> "Channels":
        """`values` [samples, channels, ...]."""
        wide = np.moveaxis(values, 1, 0).reshape(values.shape[1], -1).astype(np.float64)
        ends = np.minimum(wide.min(axis=1), 0.0), np.maximum(wide.max(axis=1), 0.0)
        return Channels(*ends, np.square(wide).mean(axis=1))

    def with_another(self, other: "Channels", before: int) -> "Channels":
        """This, seen on `before` samples, and one more."""
        power = (self.power * before + other.power) / (before + 1)
        return Channels(np.minimum(self.low, other.low), np.maximum(self.high, other.high), power)


def eighths_of(seen: Channels) -> npt.NDArray[np.int64]:
    """[channels]; a factor is 2^(-n / 8), the nearest such to the formula above."""
    largest = np.maximum(seen.high, -seen.low)
    top = max(float(largest.max()), 1e-30)
    return np.asarray(np.rint(-4.0 * np.log2(np.maximum(largest / top, _SMALLEST))), np.int64)


def gain_db(pair: Pair, weights: Floats, seen: Channels, factors: Floats) -> float:
    """What the second layer's outputs win by it, as far as rounding its inputs and its weights to 8 bits makes their error.

    Rounding errors have a variance of a twelfth of the squared step and do not depend on one another.
    """
    parts = by_channel(pair, weights).astype(np.float64)
    before = _noise(parts, seen, np.ones(pair.channels))
    return float(10 * np.log10(max(before, 1e-30) / max(_noise(parts, seen, factors), 1e-30)))


def _noise(parts: Doubles, seen: Channels, factors: npt.NDArray[np.floating]) -> float:
    """Twelve times the error's power, summed over outputs."""
    weights = parts * along_channels(parts, factors)
    step = (float((seen.high / factors).max()) - float((seen.low / factors).min())) / 255
    steps = np.abs(weights).max(axis=(2, 3)) / 127
    power = along_channels(parts, seen.power / np.square(factors)) * np.ones(parts.shape[3])
    return step**2 * float(np.square(weights).sum()) + float(
        (np.square(steps) * power.sum(axis=(2, 3))).sum()
    )
