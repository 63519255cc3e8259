"""Fake quantization of weights to given levels: powers of two, a codebook, two or three values.

It trains on the int8 integers that the file will hold, so that the file is the network: the levels are those of
`Levels.expanded_to_int8`, and only the weights and the scale of each channel move. Forward the nearest level, the same one as
in edgeq/quantize/numerics/levels.py; backward the straight-through estimator (for APoT: Li et al., 2020, arXiv:1909.13144,
section 2.3; for signs: Rastegari et al., 2016, arXiv:1603.05279) and LSQ's gradient of the scale, with the level in place of
the rounded value.
"""

import math

import torch
from torch import Tensor, nn

from edgeq.quantize.numerics.levels import OnInt8
from edgeq.train.fake_quantize import snapped
from edgeq.train.step_size import StepSize


class LevelQuantizer(nn.Module):
    """() -> scale * (the level nearest to weight / scale), of the weight's shape. As WeightQuantizer otherwise.

    weight: float32, the shadow weights. `levels`: int8 with a scale, [] or [channels]. A weight gets no gradient where it is
    further outside than half of the last gap. With two levels each weight gets it, since the far ones could never turn
    round, and the scale's is exact: a sign does not depend on it.
    """

    levels: Tensor

    def __init__(self, weight: Tensor, levels: OnInt8, *, learn: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight.detach().to(torch.float32, copy=True))
        axis = levels.of.axis
        self.axis = None if axis is None else axis % weight.ndim
        self.register_buffer("levels", torch.from_numpy(levels.integers).to(torch.float32))
        self.step = StepSize(torch.from_numpy(levels.scale), unit=self._unit, learn=learn)

    def forward(self) -> Tensor:
        step = self.step()
        return snapped(
            self.weight, step, self._nearest, self._inside(), self.axis, self._gradient_scale(step.numel())
        )

    def _nearest(self, steps: Tensor) -> Tensor:
        """Of the middle between two levels the lower one, as numerics has it."""
        rows = steps.reshape(1, -1) if self.levels.ndim == 1 else steps.movedim(self.axis, 0).flatten(1)
        levels = self.levels.reshape(len(rows), -1)
        index = torch.searchsorted((levels[:, 1:] + levels[:, :-1]) / 2, rows.contiguous())
        nearest = levels.gather(1, index)
        if self.levels.ndim == 1:
            return nearest.reshape(steps.shape)
        moved = steps.movedim(self.axis, 0).shape
        return nearest.reshape(moved).movedim(0, self.axis)

    def _inside(self) -> tuple[Tensor, Tensor] | None:
        if self.levels.shape[-1] <= 2:
            return None
        low, high = self.levels[..., :1], self.levels[..., -1:]
        bounds = low - (self.levels[..., 1:2] - low) / 2, high + (high - self.levels[..., -2:-1]) / 2
        one_each = [-1 if i == self.axis else 1 for i in range(self.weight.ndim)]
        return tuple(b.reshape(one_each) for b in bounds)

    @property
    def _reach(self) -> float:
        """Of as many uniform levels, from -Q to Q: Q."""
        return max((int(self.levels.shape[-1]) - 1) / 2, 1.0)

    @property
    def _unit(self) -> float:
        """How many steps of int8 make one of the uniform levels, as a power of two: what the scale learns in, so that it moves
        as fast as theirs, whatever the optimizer. A codebook's steps are a fortieth of what its weights differ by.
        """
        largest = max(float(self.levels.abs().max()), 1.0)
        return float(2.0 ** round(math.log2(largest / self._reach)))

    def _gradient_scale(self, scales: int) -> float:
        """LSQ's 1 / sqrt(N Q), N the weights that share a scale."""
        return 1.0 / math.sqrt(max(int(self.weight.numel()) // scales, 1) * self._reach)

    @property
    def scale(self) -> Tensor:
        """What the file holds: float32, [channels] or []."""
        return self.step().detach()

    def integers(self) -> Tensor:
        """What the file holds: int32 of the weight's shape, each of them a level."""
        with torch.no_grad():
            step = self.scale
            if self.axis is not None:
                step = step.reshape([-1 if i == self.axis else 1 for i in range(self.weight.ndim)])
            return self._nearest(self.weight / step).to(torch.int32)
