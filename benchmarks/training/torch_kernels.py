"""Torch's own fake quantization with a learned scale, the kernels that `torch.ao` and what builds on it call."""

import torch
from torch import Tensor, nn

from benchmarks.training.quantized_resnet import Kind


class Activation(nn.Module):
    def __init__(self, scale: float, q_min: int, q_max: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor([scale]))
        self.register_buffer("zero", torch.zeros(1))
        self.ends = q_min, q_max

    def forward(self, x: Tensor) -> Tensor:
        # These kernels know no Relu: the gradient of a value below zero is clipped, as that of the range.
        return torch._fake_quantize_learnable_per_tensor_affine(x, self.scale, self.zero, *self.ends, 1.0)


class Weights(nn.Module):
    def __init__(self, weight: Tensor, scale: Tensor, most: int) -> None:
        super().__init__()
        self.weight, self.scale = nn.Parameter(weight.detach()), nn.Parameter(scale)
        self.register_buffer("zero", torch.zeros_like(scale))
        self.most = most

    def forward(self) -> Tensor:
        given = self.weight, self.scale, self.zero, 0, -self.most, self.most
        return torch._fake_quantize_learnable_per_channel_affine(*given, 1.0)


TORCH = Kind(Weights, Activation)
