"""ResNet-20, -32 and -56 for CIFAR-10 (He et al. 2015, section 4.2, option A shortcuts): `resnet20`, `resnet32`, `resnet56`.

The names of the layers are those of the checkpoints in shared/data.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional


class Block(nn.Module):
    def __init__(self, into: int, out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(into, out, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        self.stride, self.grown = stride, out - into

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu(self.bn1(self.conv1(x)))
        return functional.relu(self.bn2(self.conv2(y)) + self.shortcut(x))

    def shortcut(self, x: Tensor) -> Tensor:
        """Every second pixel, and zero channels in front and behind."""
        if not self.grown:
            return x
        half = self.grown // 2
        return functional.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, half, half))


class ResNet(nn.Module):
    def __init__(self, blocks: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = stage(16, 16, blocks, stride=1)
        self.layer2 = stage(16, 32, blocks, stride=2)
        self.layer3 = stage(32, 64, blocks, stride=2)
        self.linear = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(torch.flatten(functional.adaptive_avg_pool2d(x, 1), 1))


def stage(into: int, out: int, blocks: int, stride: int) -> nn.Sequential:
    return nn.Sequential(Block(into, out, stride), *(Block(out, out, 1) for _ in range(blocks - 1)))


def resnet20() -> nn.Module:
    return ResNet(3)


def resnet32() -> nn.Module:
    return ResNet(5)


def resnet56() -> nn.Module:
    return ResNet(9)
