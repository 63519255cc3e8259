"""Keyword spotting nets res8 and res8-narrow (Tang and Lin 2018, "Deep Residual Learning for Small-Footprint Keyword
Spotting"): `res8`, `res8_narrow`. Input: 101 frames of 40 MFCCs. The names are those of the checkpoints in shared/data.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

LAYERS = 6


class Scale(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale[:, None, None]


class Res8(nn.Module):
    def __init__(self, width: int, scaled: tuple[int, ...]) -> None:
        super().__init__()
        self.conv0 = nn.Conv2d(1, width, 3, padding=1, bias=False)
        for i in range(1, LAYERS + 1):
            self.add_module(f"conv{i}", nn.Conv2d(width, width, 3, padding=1, bias=False))
            self.add_module(f"bn{i}", nn.BatchNorm2d(width, affine=False))
            self.add_module(f"scale{i}", Scale(width) if i in scaled else nn.Identity())
        self.output = nn.Linear(width, 12)

    def forward(self, mfcc: Tensor) -> Tensor:
        x = skip = functional.avg_pool2d(functional.relu(self.conv0(mfcc)), (4, 3))
        for i in range(1, LAYERS + 1):
            x = functional.relu(self.get_submodule(f"conv{i}")(x))
            if i % 2 == 0:
                x = skip = x + skip
            x = self.get_submodule(f"scale{i}")(self.get_submodule(f"bn{i}")(x))
        return self.output(x.mean((2, 3)))


def res8() -> nn.Module:
    return Res8(45, scaled=(1, 3, 5))


def res8_narrow() -> nn.Module:
    return Res8(19, scaled=())
