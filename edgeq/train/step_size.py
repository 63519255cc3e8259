"""A scale as a parameter that stays positive, whatever the optimizer does.

The scale itself is learned, not its logarithm: LSQ's gradient scale balances steps of the scale with those of the weights,
and under a logarithm every step would be multiplied by the scale once more. It is held to a thousandth of its first value.
Below that bound the gradient passes as if there were none, so that a scale which was thrown below comes back.
"""

from typing import Any

import torch
from torch import Tensor, nn

_LEAST = 1e-3  # of the first value; training moves a scale by a factor of a few


class StepSize(nn.Module):
    """() -> the scale, float32 of the given shape, never below a thousandth of what it was. Fixed with `learn=False`.

    The parameter is `unit` times the scale. A power of two for `unit` leaves the scale's bits as they are.
    """

    value: Tensor
    least: Tensor

    def __init__(self, scale: Tensor, *, unit: float = 1.0, learn: bool = True) -> None:
        super().__init__()
        first = scale.detach().to(torch.float32) * unit
        self.unit = unit
        self.register_buffer("least", first * _LEAST)
        if learn:
            self.value = nn.Parameter(first)
        else:
            self.register_buffer("value", first)

    def forward(self) -> Tensor:
        held: Tensor = _Held.apply(self.value, self.least)
        return held if self.unit == 1.0 else held / self.unit


class _Held(torch.autograd.Function):
    """The larger of both, with the gradient of the first as if the second were not there."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, least: Tensor) -> Tensor:
        return torch.maximum(value, least)

    @staticmethod
    def backward(ctx: Any, of_held: Tensor) -> tuple[Tensor, None]:
        return of_held, None
