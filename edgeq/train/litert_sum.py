"""A sum of two quantized activations as LiteRT's kernel computes it, for outputs that equal the .tflite file's.

XNNPACK's qs8-vadd adds products of the integers with multipliers of 21 bits, and shifts; halves are rounded up:

    q = (ma (qa - za) + mb (qb - zb) + 2^(shift - 1)) >> shift + z      m = round(2^shift sa / s)      shift = 20 - exponent(largest sa / s)

Source: xnn_init_qs8_add_minmax_scalar_params and src/qs8-vadd/scalar.c.in of google/XNNPACK. In the first
addition of ResNet-20 4 of a million sums are another integer than the plain sum's; the layers behind spread them.
"""

import math

import torch
from torch import Tensor

from edgeq.train.activation_quantizer import ActivationQuantizer
from edgeq.train.kernel_sum import KernelSum

_BITS = 20


class LitertSum(KernelSum):
    """As KernelSum, by LiteRT's kernel."""

    def _of_integers(
        self,
        a: Tensor,
        b: Tensor,
        one: ActivationQuantizer,
        other: ActivationQuantizer,
        result: ActivationQuantizer,
    ) -> Tensor:
        ratios = [float(each.scale / result.scale) for each in (one, other)]
        shift = _BITS - (math.frexp(max(ratios))[1] - 1)
        ma, mb = (round(ratio * 2.0**shift) for ratio in ratios)
        steps = [torch.round(x / q.scale).long() for x, q in ((a, one), (b, other))]
        sums = (steps[0] * ma + steps[1] * mb + 2 ** (shift - 1)) >> shift
        return sums * result.scale
