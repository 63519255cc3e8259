"""Brevitas' layers in place of torch's: weights per channel, batch norms kept, scales learned, as its examples of ResNets do."""

import brevitas.nn as qnn
import torch
from brevitas.quant import Int8ActPerTensorFloat, Int8WeightPerChannelFloat, Uint8ActPerTensorFloat
from torch import Tensor, nn


def prepared(net: nn.Module, images: Tensor) -> nn.Module:
    return Net(net).train()


def conv(of: nn.Conv2d) -> nn.Module:
    return qnn.QuantConv2d(
        of.in_channels,
        of.out_channels,
        of.kernel_size,
        of.stride,
        padding=of.padding,
        bias=False,
        weight_quant=Int8WeightPerChannelFloat,
    )


def relu() -> nn.Module:
    return qnn.QuantReLU(act_quant=Uint8ActPerTensorFloat)


def identity(kind: type = Int8ActPerTensorFloat) -> nn.Module:
    return qnn.QuantIdentity(act_quant=kind)


class Block(nn.Module):
    def __init__(self, of: nn.Module) -> None:
        super().__init__()
        self.conv1, self.conv2 = conv(of.conv1), conv(of.conv2)
        self.bn1, self.bn2 = of.bn1, of.bn2
        self.inner, self.before_sum, self.out = relu(), identity(), relu()
        self.shortcut = of.shortcut

    def forward(self, x: Tensor) -> Tensor:
        y = self.inner(self.bn1(self.conv1(x)))
        return self.out(self.before_sum(self.bn2(self.conv2(y))) + self.shortcut(x))


class Net(nn.Module):
    def __init__(self, of: nn.Module) -> None:
        super().__init__()
        self.input, self.conv1, self.bn1, self.first = identity(), conv(of.conv1), of.bn1, relu()
        self.blocks = nn.Sequential(*(Block(b) for stage in (of.layer1, of.layer2, of.layer3) for b in stage))
        self.pooled = identity(Uint8ActPerTensorFloat)
        self.linear = qnn.QuantLinear(64, 10, True, weight_quant=Int8WeightPerChannelFloat)

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks(self.first(self.bn1(self.conv1(self.input(x)))))
        pooled = nn.functional.adaptive_avg_pool2d(x, 1)
        return self.linear(self.pooled(torch.flatten(pooled, 1)))
