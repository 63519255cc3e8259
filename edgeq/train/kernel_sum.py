"""A sum of two quantized activations as onnxruntime's kernel for x86 computes it, for outputs that equal the file's.

Its QLinearAdd multiplies the integers with ratios of scales and adds them by fused multiply-adds, each rounded to float32:

    q = round(ra qa + (rb qb + (z - (ra za + round(rb zb)))))      ra = sa / s, rb = sb / s

That is the sum of the dequantized values, but for the last bits, and where those lie on a half they decide. A layer that reads the
sum spreads what is one step apart. While it is trained the plain sum does; half of the steps of a gradient are as far off.
"""

import torch
from torch import Tensor, nn

from edgeq.train.activation_quantizer import ActivationQuantizer


class KernelSum(nn.Module):
    """`one` and `other` quantize the operands, `result` the sum: modules of the network."""

    def __init__(
        self, one: ActivationQuantizer, other: ActivationQuantizer, result: ActivationQuantizer
    ) -> None:
        super().__init__()
        self._quantizers = (one, other, result)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """The plain sum in training; else the values that the kernel's integers stand for, not yet clipped."""
        if self.training:
            return a + b
        return self._of_integers(a, b, *self._quantizers)

    def _of_integers(
        self,
        a: Tensor,
        b: Tensor,
        one: ActivationQuantizer,
        other: ActivationQuantizer,
        result: ActivationQuantizer,
    ) -> Tensor:
        ra, rb = one.scale / result.scale, other.scale / result.scale
        zero = _fused(ra, _like(ra, one.zero_point), rb * other.zero_point)
        fixed = (result.zero_point - zero.double()).float()
        steps = _fused(_integers(a, one), ra, _fused(_integers(b, other), rb, fixed))
        return (torch.round(steps) - result.zero_point) * result.scale


def _fused(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """a b + c rounded once: float64 holds the product of two float32 exactly."""
    return (a.double() * b.double() + c.double()).float()


def _like(scale: Tensor, number: int) -> Tensor:
    return torch.full_like(scale, number)


def _integers(values: Tensor, quantizer: ActivationQuantizer) -> Tensor:
    """As float32, which holds them exactly."""
    return torch.round(values / quantizer.scale) + quantizer.zero_point
