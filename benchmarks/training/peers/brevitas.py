"""Brevitas' layers in place of torch's: weights per channel, batch norms kept, scales learned, as its examples of ResNets do.

Below 8 bits the scales of weights are learned too, from those of the least squared error (its own quantizers by that name). Only what a layer
of few bits reads has few bits: a block's output is added in 8.
"""

from copy import deepcopy
from functools import partial
from pathlib import Path

import brevitas.nn as qnn
import torch
from brevitas.export import export_onnx_qcdq
from brevitas.graph.calibrate import calibration_mode
from brevitas.quant import (
    Int8ActPerTensorFloat,
    Int8WeightPerChannelFloat,
    Int8WeightPerChannelFloatMSE,
    Uint8ActPerTensorFloat,
    Uint8ActPerTensorFloatMSE,
)
from torch import Tensor, nn

SETTINGS = {
    "W8A8": (("Adam", 0.00001), ("Adam", 0.0001)),
    "W4A8": (("Adam", 0.0003), ("Adam", 0.001)),
    "W4A4": (("Adam", 0.0003), ("Adam", 0.001)),
    "W3A3": (("Adam", 0.001), ("Adam", 0.003)),
    "W2A2": (("Adam", 0.001), ("Adam", 0.003)),
}
# All 2^bits levels, which is better than its default of one fewer: with 2 bits that would be three.
FEW = Int8WeightPerChannelFloatMSE.let(narrow_range=False)


def prepared(net: nn.Module, images: Tensor) -> nn.Module:
    return Net(net).train()


def calibrated(net: nn.Module, weights: int, activations: int, images: Tensor) -> nn.Module:
    made = Net(net, weights, activations).eval()
    with torch.no_grad():
        made(images[:1])
        with calibration_mode(made):
            for batch in images.split(50):
                made(batch)
    return made


def set_training(net: nn.Module, training: bool) -> None:
    net.train(training)


def freeze_norms(net: nn.Module) -> None:
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


def export(net: nn.Module, image: Tensor, path: Path) -> None:
    made = deepcopy(net).eval()
    plain = {"dynamo": False, "opset_version": 17, "keep_initializers_as_inputs": False}
    export_onnx_qcdq(made, args=image, export_path=str(path), **plain)


def conv(of: nn.Conv2d, weights: int = 8, activations: int = 8) -> nn.Module:
    few = (
        {"input_quant": Uint8ActPerTensorFloatMSE, "input_bit_width": activations} if activations < 8 else {}
    )
    return _with_weights_of(
        of,
        qnn.QuantConv2d(
            of.in_channels,
            of.out_channels,
            of.kernel_size,
            of.stride,
            padding=of.padding,
            bias=False,
            weight_quant=Int8WeightPerChannelFloat if weights == 8 else FEW,
            weight_bit_width=weights,
            **few,
        ),
    )


def _with_weights_of(of: nn.Module, made: nn.Module) -> nn.Module:
    with torch.no_grad():
        made.weight.copy_(of.weight)
        if of.bias is not None:
            made.bias.copy_(of.bias)
    return made


def relu(bits: int = 8) -> nn.Module:
    kind = Uint8ActPerTensorFloat if bits == 8 else Uint8ActPerTensorFloatMSE
    return qnn.QuantReLU(act_quant=kind, bit_width=bits)


def identity(kind: type = Int8ActPerTensorFloat) -> nn.Module:
    return qnn.QuantIdentity(act_quant=kind)


class Block(nn.Module):
    def __init__(self, of: nn.Module, weights: int, activations: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = conv(of.conv1, weights, activations), conv(of.conv2, weights)
        self.bn1, self.bn2 = of.bn1, of.bn2
        self.inner, self.before_sum, self.out = relu(activations), identity(), relu()
        self.shortcut = of.shortcut

    def forward(self, x: Tensor) -> Tensor:
        y = self.inner(self.bn1(self.conv1(x)))
        return self.out(self.before_sum(self.bn2(self.conv2(y))) + self.shortcut(x))


class Net(nn.Module):
    def __init__(self, of: nn.Module, weights: int = 8, activations: int = 8) -> None:
        super().__init__()
        block = partial(Block, weights=weights, activations=activations)
        self.input, self.conv1, self.bn1, self.first = identity(), conv(of.conv1), of.bn1, relu()
        self.blocks = nn.Sequential(*(block(b) for stage in (of.layer1, of.layer2, of.layer3) for b in stage))
        self.pooled = identity(Uint8ActPerTensorFloat)
        self.linear = _with_weights_of(
            of.linear, qnn.QuantLinear(64, 10, True, weight_quant=Int8WeightPerChannelFloat)
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks(self.first(self.bn1(self.conv1(self.input(x)))))
        pooled = nn.functional.adaptive_avg_pool2d(x, 1)
        return self.linear(self.pooled(torch.flatten(pooled, 1)))
