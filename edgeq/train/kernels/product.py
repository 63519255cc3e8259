"""The rounding of a layer's output as integer kernels do it, for outputs that equal the file's.

A kernel has the sum of products as an integer and multiplies it once, in float32:

    q = clip(round(float32(sum) m) + zero_point)        m = (input scale * weight scale) / output scale

The float sum of dequantized values is that times the scales, but for the last bits; divided by them and rounded it is the integer
again.
"""

import torch
from torch import Tensor, nn

from edgeq.train.activation_quantizer import ActivationQuantizer
from edgeq.train.quantized_layer import QuantizedLayer


class KernelProduct(nn.Module):
    """In place of `output`, which quantizes what `layer` makes of what `given` quantizes: modules of the network. `axis` of the
    output's channels.
    """

    def __init__(
        self, layer: QuantizedLayer, given: ActivationQuantizer, output: ActivationQuantizer, axis: int
    ) -> None:
        super().__init__()
        self._modules_of_network = (layer, given, output)
        self._axis = axis

    def forward(self, x: Tensor, *_: Tensor) -> Tensor:
        layer, given, output = self._modules_of_network
        if self.training:
            return output(x)
        step = given.scale * layer.scale
        if step.ndim:
            step = step.reshape([-1 if k == self._axis % x.ndim else 1 for k in range(x.ndim)])
        sums = torch.round(x / step)
        low, high = output.q_min - output.zero_point, output.q_max - output.zero_point
        return (sums * (step / output.scale)).round_().clamp_(low, high) * output.scale
