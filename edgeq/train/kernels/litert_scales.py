"""How LiteRT quantizes what is float, which scales its kernels have of their own, and how it converts integers from one scale to another.

XNNPACK's f32-qs8-vcvt multiplies with 1 / s where others divide by s: another integer where a pixel's value lies on a half. Sigmoid, Softmax and Tanh give integers of a fixed scale, whatever the network was trained with. Operands of a concatenation are converted
to the scale of the result by XNNPACK's qs8-vcvt, with 8 bits behind the point of the ratio; halves are rounded up:

    q = ((q - z) m + 128) >> 8 + z'      m = round(256 s / s')

Sources: the specification of int8 quantization at ai.google.dev/edge/litert; xnn_init_qs8_cvt_scalar_params and src/qs8-vcvt/scalar.c.in
of google/XNNPACK.
"""

import torch
from torch import Tensor, nn

from edgeq.train.activation_quantizer import ActivationQuantizer
from edgeq.train.kernels.rounded import Plain, Rounded, steps_of

_OWN = {"Sigmoid": (2.0**-8, True), "Softmax": (2.0**-8, True), "Tanh": (2.0**-7, False)}
_RATIO_BITS = 8


def own_scale(operator: str) -> ActivationQuantizer | None:
    """Of an operator's result; None where any scale will do."""
    if operator not in _OWN:
        return None
    scale, positive = _OWN[operator]
    return ActivationQuantizer(scale, -128 if positive else 0, -128, 127, learn=False)


class TrainedUntilEvaluated(nn.Module):
    """In place of `trained`, a module of the network, where it is evaluated: `own`, which the kernel has."""

    def __init__(self, trained: ActivationQuantizer, own: ActivationQuantizer) -> None:
        super().__init__()
        self._of_network, self._own = (trained,), own

    def forward(self, x: Tensor, *_: Tensor) -> Tensor:
        quantizer = self._of_network[0] if self.training else self._own
        found: Tensor = quantizer(x)
        return found


class LitertQuantize(nn.Module):
    """In place of `quantizer`, a module of the network."""

    def __init__(self, quantizer: ActivationQuantizer) -> None:
        super().__init__()
        self._of_network = (quantizer,)

    def forward(self, x: Tensor, *_: Tensor) -> Tensor:
        quantizer = self._of_network[0]
        if self.training:
            found: Tensor = quantizer(x)
            return found
        low, high = (end - quantizer.zero_point for end in (quantizer.q_min, quantizer.q_max))
        return (x * (1 / quantizer.scale)).round_().clamp_(low, high) * quantizer.scale


class LitertConcat(Rounded):
    def rounded(self, plain: Plain, *inputs: Tensor) -> Tensor:
        return plain(*(self._converted(x, q) for x, q in zip(inputs, self.given, strict=True)))

    def _converted(self, x: Tensor, quantizer: ActivationQuantizer) -> Tensor:
        if float(quantizer.scale) == float(self.result.scale):
            return x
        factor = torch.round(2**_RATIO_BITS * quantizer.scale / self.result.scale).double()
        converted = torch.floor(steps_of(x, quantizer) * factor / 2**_RATIO_BITS + 0.5)
        low, high = (end - self.result.zero_point for end in (self.result.q_min, self.result.q_max))
        return converted.clamp(low, high).float() * self.result.scale
