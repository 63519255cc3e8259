"""ResNet-20 as a quantized file computes it, trainable: batch norms folded, every tensor between operators on a grid.

The places are those of the file that edgeq writes for onnxruntime: the input, each Relu's output, the sum's second input, the
pooled values. Option A's shortcut selects values that are on a grid already.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from edgeq.train.activation_quantizer import ActivationQuantizer
from edgeq.train.weight_quantizer import WeightQuantizer
from tests.models.resnet_cifar import Block, ResNet


@dataclass(frozen=True)
class Kind:
    """Makes the quantizers: of a weight, its scales along axis 0 and the largest integer; of a scale and both ends."""

    weights: Callable[[Tensor, Tensor, int], nn.Module]
    activation: Callable[[float, int, int], nn.Module]

    def of_weights(self, weight: Tensor, bits: int) -> nn.Module:
        """Per output channel, with a range up to the largest weight."""
        most = (1 << (bits - 1)) - 1
        return self.weights(weight, weight.detach().flatten(1).abs().amax(1) / most, most)

    def after_relu(self, bits: int) -> nn.Module:
        most = (1 << bits) - 1
        return self.activation(4.0 / most, 0, most)

    def around_zero(self, bits: int) -> nn.Module:
        most = (1 << (bits - 1)) - 1
        return self.activation(4.0 / most, -most - 1, most)


EDGEQ = Kind(
    weights=lambda weight, scale, most: WeightQuantizer(weight, scale, 0, -most, most),
    activation=lambda scale, q_min, q_max: ActivationQuantizer(scale, 0, q_min, q_max),
)


class QuantizedConv(nn.Module):
    """A convolution with fake-quantized weights and the batch norm behind it folded in."""

    def __init__(self, conv: nn.Conv2d, norm: nn.BatchNorm2d, bits: int, kind: Kind) -> None:
        super().__init__()
        factor = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        self.quantizer = kind.of_weights(conv.weight * factor.reshape(-1, 1, 1, 1), bits)
        self.bias = nn.Parameter((norm.bias - norm.running_mean * factor).detach())
        self.stride, self.padding = conv.stride, conv.padding

    def forward(self, x: Tensor) -> Tensor:
        return functional.conv2d(x, self.quantizer(), self.bias, self.stride, self.padding)


class QuantizedBlock(nn.Module):
    def __init__(self, block: Block, bits: int, activation_bits: int, kind: Kind) -> None:
        super().__init__()
        self.conv1 = QuantizedConv(block.conv1, block.bn1, bits, kind)
        self.conv2 = QuantizedConv(block.conv2, block.bn2, bits, kind)
        self.inner, self.out = kind.after_relu(activation_bits), kind.after_relu(activation_bits)
        self.before_sum = kind.around_zero(activation_bits)
        self.shortcut = block.shortcut

    def forward(self, x: Tensor) -> Tensor:
        y = self.inner(self.conv1(x))
        return self.out(self.before_sum(self.conv2(y)) + self.shortcut(x))


class QuantizedResNet(nn.Module):
    """Of a float ResNet whose batch norms have statistics; weights of `bits`, activations of `activation_bits`."""

    def __init__(
        self, float_net: ResNet, bits: int = 8, activation_bits: int = 8, kind: Kind = EDGEQ
    ) -> None:
        super().__init__()
        self.input = kind.around_zero(8)
        self.conv1 = QuantizedConv(float_net.conv1, float_net.bn1, 8, kind)
        self.first = kind.after_relu(activation_bits)
        stages = (float_net.layer1, float_net.layer2, float_net.layer3)
        self.blocks = nn.Sequential(
            *(QuantizedBlock(b, bits, activation_bits, kind) for s in stages for b in s)
        )
        self.pooled = kind.after_relu(8)
        self.linear = kind.of_weights(float_net.linear.weight, 8)
        self.bias = nn.Parameter(float_net.linear.bias.detach().clone())

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks(self.first(self.conv1(self.input(x))))
        x = self.pooled(torch.flatten(functional.adaptive_avg_pool2d(x, 1), 1))
        return functional.linear(x, self.linear(), self.bias)
