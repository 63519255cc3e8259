"""Fake quantization of weights to a codebook of each channel whose levels learn.

    y = s * round(book / s)[nearest to the weight]      s: the scale at the start, or max |book| / most once that is larger

The levels are held as int8 with a scale, forward too, so that the file is the network. Backward the straight-through estimator: a
weight gets the gradient of its value, and a level the sum of the gradients of the weights that have it (Han et al., "Deep
compression", ICLR 2016, arXiv:1510.00149, section 3.3), as if neither were rounded.
"""

from typing import Any

import torch
from torch import Tensor, nn

from edgeq.quantize.numerics.level_kinds import MOST
from edgeq.quantize.numerics.levels import OnInt8


class CodebookQuantizer(nn.Module):
    """() -> the level nearest to each weight, of the weight's shape. As WeightQuantizer otherwise.

    weight: float32, the shadow weights. `levels`: those to start from, int8 with a scale, [k] for all or [channels, k]. `most`: the largest integer of
    a level in the file. A weight gets no gradient where it is further outside than half of the last gap, but with two levels each
    one gets it, since the far ones could never turn round.
    """

    first: Tensor

    def __init__(self, weight: Tensor, levels: OnInt8, *, most: int = MOST) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight.detach().to(torch.float32, copy=True))
        axis = levels.of.axis
        self.axis, self._most = None if axis is None else axis % weight.ndim, most
        scale = torch.from_numpy(levels.scale).reshape(-1)
        integers = torch.from_numpy(levels.integers).to(torch.float32).reshape(len(scale), -1)
        self.book = nn.Parameter(integers * scale[:, None])
        self.register_buffer("first", scale)

    def forward(self) -> Tensor:
        integers, order, scale = self._on_int8()
        y: Tensor = _Chosen.apply(self.weight, self.book, integers * scale[:, None], order, self.axis)
        return y

    @property
    def scale(self) -> Tensor:
        """What the file holds: float32, [channels] or []."""
        scale = self._on_int8()[2]
        return scale if self.axis is not None else scale[0]

    def integers(self) -> Tensor:
        """What the file holds: int32 of the weight's shape, each of them a level."""
        with torch.no_grad():
            integers, _, scale = self._on_int8()
            index = _nearest(_rows(self.weight, self.axis), integers * scale[:, None])
            return _shaped(integers.gather(1, index), self.weight, self.axis).to(torch.int32)

    def _on_int8(self) -> tuple[Tensor, Tensor, Tensor]:
        """Integers [channels, k] in ascending order, which level each one is, and scales [channels]."""
        book = self.book.detach()
        wider = (book.abs().amax(1) / (self.first * self._most)).clamp(min=1.0)
        scale = self.first * wider
        integers, order = (book / scale[:, None]).round().clamp(-self._most, self._most).sort(dim=1)
        return integers, order, scale


class _Chosen(torch.autograd.Function):
    """Of `levels` [channels, k], ascending, the one nearest to each weight; `book` are the parameters behind, `order` which is which."""

    @staticmethod
    def forward(
        ctx: Any, weight: Tensor, book: Tensor, levels: Tensor, order: Tensor, axis: int | None
    ) -> Tensor:
        index = _nearest(_rows(weight, axis), levels)
        ctx.axis = axis
        ctx.save_for_backward(weight, levels, order, index)
        return _shaped(levels.gather(1, index), weight, axis)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        weight, levels, order, index = ctx.saved_tensors
        rows = _rows(dy, ctx.axis)
        of_levels = torch.zeros_like(levels).scatter_add_(1, index, rows)
        of_book = torch.zeros_like(levels).scatter_(1, order, of_levels)
        return _inside(dy, weight, levels, ctx.axis), of_book, None, None, None


def _nearest(rows: Tensor, levels: Tensor) -> Tensor:
    """Of the middle between two levels the lower one, as numerics has it."""
    return torch.searchsorted(((levels[:, 1:] + levels[:, :-1]) / 2).contiguous(), rows.contiguous())


def _inside(dy: Tensor, weight: Tensor, levels: Tensor, axis: int | None) -> Tensor:
    if levels.shape[1] <= 2:
        return dy
    low = levels[:, :1] - (levels[:, 1:2] - levels[:, :1]) / 2
    high = levels[:, -1:] + (levels[:, -1:] - levels[:, -2:-1]) / 2
    rows = _rows(weight, axis)
    return torch.where(_shaped((rows > low) & (rows < high), weight, axis), dy, 0.0)


def _rows(values: Tensor, axis: int | None) -> Tensor:
    return values.reshape(1, -1) if axis is None else values.movedim(axis, 0).flatten(1)


def _shaped(rows: Tensor, like: Tensor, axis: int | None) -> Tensor:
    if axis is None:
        return rows.reshape(like.shape)
    return rows.reshape(like.movedim(axis, 0).shape).movedim(0, axis)
