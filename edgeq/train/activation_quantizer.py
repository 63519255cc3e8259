"""Fake quantization of an activation, with one learned scale: a QuantizeLinear and DequantizeLinear pair in training.

It knows the grid and the scale that calibration chose, and nothing of layers. Where the zero point is the lowest integer,
the clip does what a Relu in front would do, forward and backward: leave the Relu out.
"""

import math

import torch
from torch import Tensor, nn

from edgeq.train.fake_quantize import fake_quantize, to_integers
from edgeq.train.step_size import StepSize


class ActivationQuantizer(nn.Module):
    """x -> scale * (clip(round(x / scale) + zero_point, q_min, q_max) - zero_point). The zero point stays as it is.

    The scale's gradient is multiplied by LSQ's 1 / sqrt(N Q) (arXiv:1902.08153, section 2.2): N the values of one sample,
    Q the steps from zero to the further end of the range. With `learn=False` the scale is fixed.
    """

    def __init__(self, scale: float, zero_point: int, q_min: int, q_max: int, *, learn: bool = True) -> None:
        super().__init__()
        self.step = StepSize(torch.tensor(scale, dtype=torch.float32), learn=learn)
        self.zero_point, self.q_min, self.q_max = zero_point, q_min, q_max

    def forward(self, x: Tensor) -> Tensor:
        values = x[0].numel() if x.ndim else 1
        return fake_quantize(
            x,
            self.step(),
            self.zero_point,
            self.q_min,
            self.q_max,
            gradient_scale=1.0 / math.sqrt(max(values, 1) * self._reach),
        )

    @property
    def _reach(self) -> int:
        return max(self.q_max - self.zero_point, self.zero_point - self.q_min)

    @property
    def implies_relu(self) -> bool:
        """Whether the range begins at zero, so that no value below zero passes, nor its gradient."""
        return self.zero_point == self.q_min

    @property
    def scale(self) -> Tensor:
        """What the file holds: float32 []."""
        return self.step().detach()

    def integers(self, x: Tensor) -> Tensor:
        """What QuantizeLinear makes of x, int32."""
        return to_integers(x, self.scale, self.zero_point, self.q_min, self.q_max)

    def extra_repr(self) -> str:
        return f"zero_point={self.zero_point}, q_min={self.q_min}, q_max={self.q_max}"
