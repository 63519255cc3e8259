"""A product of two quantized activations, as the integer kernels of onnxruntime and of LiteRT on x86 compute it.

Both multiply the integers, and the product once in float32; halves are rounded to even:

    q = round(float32((qa - za) (qb - zb)) (sa sb / s)) + z

Sources: MlasQLinearMul in onnxruntime's mlas/lib/qlmul.cpp; src/qs8-vmul of google/XNNPACK with fp32 requantization. On arm64 XNNPACK
has a multiplier of 31 bits instead and rounds halves up (rndnu): another integer for products that lie on a half, or next to it.
"""

import torch
from torch import Tensor

from edgeq.train.kernels.rounded import Plain, Rounded, steps_of


class Multiply(Rounded):
    def rounded(self, plain: Plain, *inputs: Tensor) -> Tensor:
        one, other = self.given
        product = plain(*(steps_of(x, q) for x, q in zip(inputs, self.given, strict=True)))
        factor = one.scale * other.scale / self.result.scale
        return torch.round(product.float() * factor) * self.result.scale
