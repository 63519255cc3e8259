"""Fake quantization of a torch tensor: the values that QuantizeLinear and DequantizeLinear leave, with gradients.

    y = s * (clip(round(x / s) + z, q_min, q_max) - z)

The forward values are those of edgeq/quantize/numerics and of onnxruntime, bit for bit: x / s is a division in float32 (a
product with 1 / s rounds other values to halves), halves round to even. Two things differ, neither in a number that is
computed: a zero may carry a sign, and NaN stays NaN, so that a training that diverged shows it.

The gradients are those of learned step sizes (LSQ; Esser et al., "Learned step size quantization", ICLR 2020,
arXiv:1902.08153, equations 3 and 5). With v = x / s and n = q_min - z < v < p = q_max - z for the values inside:

    dy/dx = 1 inside, else 0              dy/ds = round(v) - v inside, n below, p above

so that ds = (sum(dy * y) / s - sum(dx * v)), two dot products. Torch's own fake quantization multiplies by the reciprocal,
and its kernel for CPUs, which computes one value at a time, takes ten times as long as these few vectorized passes.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch import Tensor

Bound: TypeAlias = "float | Tensor"


def fake_quantize(
    x: Tensor,
    scale: Tensor,
    zero_point: Tensor | int,
    q_min: int,
    q_max: int,
    axis: int | None = None,
    gradient_scale: float = 1.0,
    margin: float = 0.0,
) -> Tensor:
    """`x` rounded to the grid, of x's shape and memory format.

    scale: float32, [] or, with `axis`, [channels], positive. zero_point: an int, or integers of the scale's shape; it gets
    no gradient. The scale's gradient is multiplied by `gradient_scale`. Values up to `margin` steps outside of the range
    count as inside: 0 is LSQ's rule, and where z = q_min also the gradient of a Relu in front; with 0.5 the inside is what
    is not clipped.

    On a GPU `scale` has to be there too: by a number of the CPU, torch divides by way of the reciprocal.
    """
    zero = _along(zero_point, axis, x.ndim)
    low, high = q_min - zero, q_max - zero
    inside = low - margin, high + margin
    return snapped(x, scale, lambda v: v.round().clamp_(low, high), inside, axis, gradient_scale)


def snapped(
    x: Tensor,
    scale: Tensor,
    snap: Callable[[Tensor], Tensor],
    inside: tuple[Bound, Bound] | None,
    axis: int | None,
    gradient_scale: float,
) -> Tensor:
    """s * snap(x / s) with the gradients above, for any `snap` from a tensor to a new one of its shape.

    The values `inside` are those between both bounds, which are in steps. None: everywhere dy/dx = 1 and dy/ds = snap(v).
    """
    y: Tensor = _Snapped.apply(x, scale, snap, inside, axis, gradient_scale)
    return y


def to_integers(
    x: Tensor, scale: Tensor, zero_point: Tensor | int, q_min: int, q_max: int, axis: int | None = None
) -> Tensor:
    """The integers behind `fake_quantize`, int32 of x's shape: what QuantizeLinear writes."""
    zero = _along(zero_point, axis, x.ndim)
    with torch.no_grad():
        steps = (x / _along(scale, axis, x.ndim)).round().clamp_(q_min - zero, q_max - zero)
        return steps.to(torch.int32) + zero


class _Snapped(torch.autograd.Function):
    """Keeps v and y for the backward pass: as much memory as a batch norm and a Relu keep, whose place it takes."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        scale: Tensor,
        snap: Callable[[Tensor], Tensor],
        inside: tuple[Bound, Bound] | None,
        axis: int | None,
        gradient_scale: float,
    ) -> Tensor:
        step = _along(scale, axis, x.ndim)
        steps = x / step
        y = snap(steps).mul_(step)
        ctx.inside, ctx.axis, ctx.gradient_scale = inside, axis, gradient_scale
        ctx.save_for_backward(steps, scale, *([y] if ctx.needs_input_grad[1] else []))
        return y

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        steps, scale, *y = ctx.saved_tensors
        dy = _laid_out_as(steps, dy)
        dx = dy if ctx.inside is None else _inside(dy, steps, *ctx.inside)
        of_scale = None
        if y:
            of_scale = _sums(dy, y[0], ctx.axis) / scale
            if ctx.inside is not None:
                of_scale = of_scale - _sums(dx, steps, ctx.axis)
            of_scale = of_scale.mul_(ctx.gradient_scale).to(scale.dtype)
        return dx if ctx.needs_input_grad[0] else None, of_scale, None, None, None, None


def _along(values: Any, axis: int | None, rank: int) -> Any:
    """One value for each index of `axis`, in a shape that broadcasts. A single zero point becomes a number."""
    if not isinstance(values, Tensor):
        return values
    if axis is None:
        return values if values.is_floating_point() else int(values)
    return values.reshape([-1 if i == axis % rank else 1 for i in range(rank)])


def _laid_out_as(other: Tensor, x: Tensor) -> Tensor:
    """x in the memory format of `other`. Pooling hands back another one, which every layer in front would have to convert."""
    return x if x.stride() == other.stride() else torch.empty_like(other).copy_(x)


def _inside(dy: Tensor, steps: Tensor, low: Bound, high: Bound) -> Tensor:
    """dy where low < steps < high, else 0."""
    if isinstance(low, Tensor):
        return torch.where((steps > low) & (steps < high), dy, 0.0)
    # The one kernel that compares with both ends and selects in a single pass.
    passed: Tensor = torch.ops.aten.hardtanh_backward(dy, steps, low, high)
    return passed


def _sums(a: Tensor, b: Tensor, axis: int | None) -> Tensor:
    """The sum of a * b, or one for each index of `axis`."""
    if axis is not None:
        others = [i for i in range(a.ndim) if i != axis % a.ndim]
        return (a * b).sum(others) if others else a * b
    # Flat in the order of memory, in which neither is copied where both have the same memory format.
    order = sorted(range(b.ndim), key=lambda i: -b.stride(i))
    return torch.dot(a.permute(order).reshape(-1), b.permute(order).reshape(-1))
