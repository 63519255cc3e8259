"""A product of two matrices of activations, as in attention, as LiteRT computes it.

The sum of products is an integer. It is multiplied by a whole number of 31 bits, rounded, and divided by a power of two, rounded again:
halves go away from zero both times, and one of a hundred integers is another than the nearest one.

    q = round(round(sum m 2^-31) 2^-shift) + z      m = round(2^(31 + shift) sa sb / s)      2^30 <= m < 2^31

Sources: GetQuantizedConvolutionMultipler and QuantizeMultiplier in kernels/kernel_util.cc and kernels/internal/quantization_util.cc,
MultiplyByQuantizedMultiplier in kernels/internal/common.cc of LiteRT.
"""

import math

from torch import Tensor

from edgeq.train.kernels.rounded import Plain, Rounded, steps_of

_BITS = 31


class LitertMatMul(Rounded):
    def rounded(self, plain: Plain, *inputs: Tensor) -> Tensor:
        one, other = (float(each.scale) for each in self.given)
        fraction, exponent = math.frexp(one * other / float(self.result.scale))
        multiplier = round(fraction * 2**_BITS)
        sums = plain(*(steps_of(x, q) for x, q in zip(inputs, self.given, strict=True))).long()
        high = _divided((sums << max(exponent, 0)) * multiplier, _BITS)
        return _divided(high, max(-exponent, 0)).float() * self.result.scale


def _divided(numbers: Tensor, bits: int) -> Tensor:
    """By 2^bits, to the nearest whole number; halves away from zero."""
    half = (1 << bits) >> 1
    return numbers.sign() * ((numbers.abs() + half) >> bits)
