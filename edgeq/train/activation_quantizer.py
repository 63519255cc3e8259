"""Fake quantization of an activation, with one scale: a QuantizeLinear and DequantizeLinear pair in training. The scale is learned, or
follows the range of what comes (ObservedQuantizer).

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


_MOMENTUM = 0.05  # of a mini-batch in the moving average


class ObservedQuantizer(ActivationQuantizer):
    """The same with a scale that follows the values of training: an exponential moving average of the range of each mini-batch
    (Jacob et al., "Quantization and training of neural networks for efficient integer-arithmetic-only inference", CVPR 2018,
    arXiv:1712.05877, section 3.1).

    The range is the smallest one with this zero point that holds a mini-batch, and the scale is in proportion to it: the first
    mini-batch has the scale that calibration chose, so that the share of the range which that cuts off stays cut off. `settle`
    ends a step; what was seen since the last one counts once, of however many tensors it was.
    """

    first: Tensor
    average: Tensor
    seen: Tensor
    began: Tensor
    frozen: Tensor

    def __init__(self, scale: float, zero_point: int, q_min: int, q_max: int) -> None:
        super().__init__(scale, zero_point, q_min, q_max, learn=False)
        for name, value in (("first", scale), ("average", 0.0), ("seen", 0.0)):
            self.register_buffer(name, torch.tensor(value, dtype=torch.float32))
        self.register_buffer("began", torch.zeros((), dtype=torch.float32))
        self.register_buffer("frozen", torch.zeros((), dtype=torch.bool))

    def forward(self, x: Tensor) -> Tensor:
        if self.training and not self.frozen and x.numel():
            self.seen = torch.maximum(self.seen, self._holding(x.detach()))
        return super().forward(x)

    def settle(self) -> None:
        """Takes what was seen into the average, and the scale from that."""
        if self.frozen or not bool(self.seen > 0):
            return
        if not bool(self.began > 0):
            self.began, self.average = self.seen.clone(), self.seen.clone()
        self.average = torch.lerp(self.average, self.seen, _MOMENTUM)
        self.step.value = self.first * (self.average / self.began)
        self.seen = torch.zeros_like(self.seen)

    def freeze(self) -> None:
        self.frozen.fill_(True)

    def _holding(self, x: Tensor) -> Tensor:
        """The scale at which nothing of x is outside of the integers."""
        low, high = x.aminmax()
        above = high / max(self.q_max - self.zero_point, 1)
        below = (
            -low / (self.zero_point - self.q_min) if self.zero_point > self.q_min else torch.zeros_like(low)
        )
        return torch.maximum(above, below).to(torch.float32)
