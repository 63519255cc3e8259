"""Averages of quantized activations as integer kernels compute them; LiteRT's over windows are in litert_average.py. Halves are
frequent there: one of four sums of 2x2 values.

Over the whole area, a mean of n values, onnxruntime and XNNPACK multiply the sum once, in float32, and round halves to even:

    q = round(float32(sum(q - z)) (s / (n s'))) + z'

Over windows onnxruntime adds float32 values, one after the other, and rounds with the zero point added:

    q = round(sum((q - z) s) / n / s' + z')

Sources: MlasQLinearGlobalAveragePool in mlas/lib/qlgavgpool.cpp and QLinearAveragePool in contrib_ops/cpu/quantization/qlinear_pool.cc of
onnxruntime; src/qs8-rdsum of google/XNNPACK.
"""

import math

import torch
from torch import Tensor

from edgeq.train.kernels.rounded import Plain, Rounded, steps_of


class Mean(Rounded):
    """Over the whole area."""

    def rounded(self, plain: Plain, *inputs: Tensor) -> Tensor:
        (given,), result = self.given, self.result
        means = plain(steps_of(inputs[0], given), *inputs[1:])
        count = math.prod(inputs[0].shape[1:]) // math.prod(means.shape[1:])
        factor = given.scale / (result.scale * count)
        return torch.round(torch.round(means * count).float() * factor) * result.scale


class OnnxruntimeAverage(Rounded):
    """Over windows; over the whole area as Mean."""

    def rounded(self, plain: Plain, *inputs: Tensor) -> Tensor:
        result, means = self.result, plain(*inputs)
        if math.prod(means.shape[2:]) == 1:
            return Mean(self.given, result).rounded(plain, *inputs)
        return (torch.round(means / result.scale + result.zero_point) - result.zero_point) * result.scale
