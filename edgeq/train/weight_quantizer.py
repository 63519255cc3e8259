"""Fake quantization of a weight tensor, with one learned scale for each channel, or one for the tensor.

It holds the float weights that training moves (the shadow weights) and gives the layer what the integers stand for.
"""

import math

import torch
from torch import Tensor, nn

from edgeq.train.fake_quantize import fake_quantize, to_integers
from edgeq.train.step_size import StepSize

# A weight at the end of the range, exactly on an integer, as every weight is that was read from a quantized file. LSQ
# gives it no gradient and it would stay there for good, at 2 bits most of the weights. Half a step further out is clipped.
_MARGIN = 0.5


class WeightQuantizer(nn.Module):
    """() -> scale * clip(round(weight / scale), q_min, q_max), of the weight's shape.

    weight: float32. scale: float32, [channels] along `axis`, or [] where `axis` is None. The scale's gradient is multiplied
    by LSQ's 1 / sqrt(N q_max) (arXiv:1902.08153, section 2.2), N the weights that share a scale. With `learn=False` the
    scales are fixed; the weights always learn. `kept`: bool of the weight's shape, False where it is zero for good.
    """

    kept: Tensor | None

    def __init__(
        self,
        weight: Tensor,
        scale: Tensor,
        axis: int | None,
        q_min: int,
        q_max: int,
        *,
        learn: bool = True,
        kept: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.register_buffer("kept", kept, persistent=False)
        self.weight = nn.Parameter(weight.detach().to(torch.float32, copy=True))
        self.step = StepSize(scale, learn=learn)
        self.axis, self.q_min, self.q_max = axis, q_min, q_max

    def forward(self) -> Tensor:
        step = self.step()
        sharing = max(self.weight.numel() // step.numel(), 1)
        return fake_quantize(
            self._values(),
            step,
            0,
            self.q_min,
            self.q_max,
            self.axis,
            gradient_scale=1.0 / math.sqrt(sharing * max(self.q_max, -self.q_min)),
            margin=_MARGIN,
        )

    @property
    def scale(self) -> Tensor:
        """What the file holds: float32, [channels] or []."""
        return self.step().detach()

    def integers(self) -> Tensor:
        """What the file holds: int32 of the weight's shape, q_min to q_max."""
        return to_integers(self._values(), self.scale, 0, self.q_min, self.q_max, self.axis)

    def _values(self) -> Tensor:
        return self.weight if self.kept is None else self.weight * self.kept

    def extra_repr(self) -> str:
        return f"axis={self.axis}, q_min={self.q_min}, q_max={self.q_max}"
