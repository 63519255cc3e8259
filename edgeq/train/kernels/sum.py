"""A sum of two quantized activations as integer kernels compute it, for outputs that equal the file's.

onnxruntime's QLinearAdd for x86 multiplies the integers with ratios of scales and adds them by fused multiply-adds, each rounded to float32:

    q = round(ra qa + (rb qb + (z - (ra za + round(rb zb)))))      ra = sa / s, rb = sb / s

That is the sum of the dequantized values, but for the last bits, and where those lie on a half they decide. A layer that reads the
sum spreads what is one step apart. XNNPACK, LiteRT's, and onnxruntime for ARM multiply with 21 and 22 bits, add and shift; halves are
rounded up:

    q = (ma (qa - za) + mb (qb - zb) + 2^(shift - 1)) >> shift + z      m = round(2^shift sa / s)      shift = 20 - exponent(largest sa / s)

with 21 for 20 in onnxruntime.

In the first addition of ResNet-20 4 of a million sums are another integer than the plain sum's. Sources: mlas/lib/qladd.cpp of onnxruntime;
xnn_init_qs8_add_minmax_scalar_params and src/qs8-vadd/scalar.c.in of google/XNNPACK.
"""

import math

import torch
from torch import Tensor

from edgeq.train.activation_quantizer import ActivationQuantizer
from edgeq.train.kernels.rounded import Plain, Rounded, fused, steps_of

_XNNPACK, _ARM = 20, 21


class OnnxruntimeSum(Rounded):
    def rounded(self, plain: Plain, *inputs: Tensor) -> Tensor:
        (one, other), result = self.given, self.result
        if result.q_min < 0:  # signed activations are for ARM
            return _shifted(_ARM, plain, inputs, self.given, result)
        a, b = (_integers(x, q) for x, q in zip(inputs, self.given, strict=True))
        ra, rb = one.scale / result.scale, other.scale / result.scale
        begin = fused(ra, torch.full_like(ra, one.zero_point), rb * other.zero_point)
        fixed = (result.zero_point - begin.double()).float()
        steps = fused(a, ra, fused(b, rb, fixed))
        return (torch.round(steps) - result.zero_point) * result.scale


class LitertSum(Rounded):
    """And difference: `plain` has the sign of the second."""

    def rounded(self, plain: Plain, *inputs: Tensor) -> Tensor:
        return _shifted(_XNNPACK, plain, inputs, self.given, self.result)


def _shifted(
    bits: int,
    plain: Plain,
    inputs: tuple[Tensor, ...],
    given: tuple[ActivationQuantizer, ...],
    result: ActivationQuantizer,
) -> Tensor:
    ratios = [float(each.scale / result.scale) for each in given]
    shift = bits - (math.frexp(max(ratios))[1] - 1)
    factors = (round(ratio * 2.0**shift) for ratio in ratios)
    a, b = (steps_of(x, q) * factor for x, q, factor in zip(inputs, given, factors, strict=True))
    return torch.floor(plain(a, b) / 2.0**shift + 0.5).float() * result.scale


def _integers(values: Tensor, quantizer: ActivationQuantizer) -> Tensor:
    """As float32, which holds them exactly."""
    return torch.round(values / quantizer.scale) + quantizer.zero_point
