"""The factor by which each channel between two layers is divided, from its range on calibration samples.

    s_j = sqrt(max|x_j| / max|x|)               halves each channel's distance to the largest, in decibels

Activations have one scale per tensor, so a channel a tenth as large as the largest has a tenth of its levels. Exponents
above 1/2 are worse: the second layer's weights, with a scale per output channel, lose what the activations gain. DS-CNN,
29.0 dB without: exponent 1/2 31.0 dB, 3/4 30.0, 1 29.1. Nagel et al., "Data-free quantization through weight
equalization and bias correction", 2019, equalize weights with one scale per tensor: s_j = sqrt(max|w1_j| / max|w2_j|). Here
that is no better: weights have a scale per channel already, activations do not.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgeq.quantize.passes.equalize.pairs import Floats, Pair, along_channels, by_channel

Doubles = npt.NDArray[np.float64]

_SMALLEST = 0.02  # of the largest channel: one that is next to zero here may be larger on other samples


@dataclass(frozen=True, eq=False)
class Channels:
    """Range (zero within it) and mean square of each channel on calibration samples, [channels]."""

    low: Doubles
    high: Doubles
    power: Doubles

    @staticmethod
    def of(values: Floats) -> "Channels":
        """`values` [samples, channels, ...]."""
        wide = np.moveaxis(values, 1, 0).reshape(values.shape[1], -1)
        low, high = (np.asarray(ends, np.float64) for ends in (wide.min(axis=1), wide.max(axis=1)))
        power = np.square(wide).mean(axis=1, dtype=np.float64)
        return Channels(np.minimum(low, 0.0), np.maximum(high, 0.0), power)

    def with_another(self, other: "Channels", before: int) -> "Channels":
        """Of this one's `before` samples and one more."""
        power = (self.power * before + other.power) / (before + 1)
        return Channels(np.minimum(self.low, other.low), np.maximum(self.high, other.high), power)


def eighths_of(channels: Channels) -> npt.NDArray[np.int64]:
    """n of each channel, [channels], whose factor 2^(-n / 8) is nearest to the formula above."""
    largest = np.maximum(channels.high, -channels.low)
    top = max(float(largest.max()), 1e-30)
    return np.asarray(np.rint(-4.0 * np.log2(np.maximum(largest / top, _SMALLEST))), np.int64)


def gain_db(pair: Pair, weights: Floats, channels: Channels, factors: Floats) -> float:
    """The predicted SQNR gain of the second layer's outputs, from rounding its inputs and its weights to 8 bits.

    Rounding errors count as independent, each with a variance of step^2 / 12.
    """
    parts = by_channel(pair, weights).astype(np.float64)
    before = _noise(parts, channels, np.ones(pair.channels))
    return float(10 * np.log10(max(before, 1e-30) / max(_noise(parts, channels, factors), 1e-30)))


def _noise(parts: Doubles, channels: Channels, factors: npt.NDArray[np.floating]) -> float:
    """12 times the power of the outputs' error, summed over outputs."""
    weights = parts * along_channels(parts, factors)
    step = (float((channels.high / factors).max()) - float((channels.low / factors).min())) / 255
    steps = np.abs(weights).max(axis=(2, 3)) / 127
    power = along_channels(parts, channels.power / np.square(factors)) * np.ones(parts.shape[3])
    return step**2 * float(np.square(weights).sum()) + float(
        (np.square(steps) * power.sum(axis=(2, 3))).sum()
    )
