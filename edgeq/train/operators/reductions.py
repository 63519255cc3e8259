"""Sums, means and extremes along axes, and what is built of them."""

from collections.abc import Callable

import torch
from torch import Tensor

from edgeq.train.forms import Form, Samples
from edgeq.train.node import Node

Axes = tuple[int, ...]
Reduction = Callable[[Tensor, Axes, bool], Tensor]


def Softmax(node: Node) -> Form:
    return _softmax(node, torch.softmax)


def LogSoftmax(node: Node) -> Form:
    return _softmax(node, torch.log_softmax)


def Hardmax(node: Node) -> Form:
    def hardmax(x: Tensor, axis: int) -> Tensor:
        largest = x.argmax(axis, keepdim=True)
        return torch.zeros_like(x).scatter(axis, largest, 1.0)

    return _softmax(node, hardmax)


def ArgMax(node: Node) -> Form:
    return _position(node, torch.argmax)


def ArgMin(node: Node) -> Form:
    return _position(node, torch.argmin)


def TopK(node: Node) -> Form:
    """Of equal values that with the lower index comes first."""
    if node.opset < 10:
        count = int(node.attributes["k"])
    else:
        count = node.ints(1)[0]
    axis, largest = node.axis(-1) + 1, bool(node.attributes.get("largest", 1))

    def compute(x: Tensor, *_: Tensor) -> tuple[Tensor, Tensor]:
        values, places = torch.sort(x, dim=axis, descending=largest, stable=True)
        return values.narrow(axis, 0, count), places.narrow(axis, 0, count)

    return Samples(compute)


def CumSum(node: Node) -> Form:
    return _cumulative(node, torch.cumsum, 0.0)


def CumProd(node: Node) -> Form:
    return _cumulative(node, torch.cumprod, 1.0)


def ReduceSum(node: Node) -> Form:
    return _reduced(node, _sum)


def ReduceMean(node: Node) -> Form:
    return _reduced(node, _mean)


def ReduceMax(node: Node) -> Form:
    return _reduced(node, _largest)


def ReduceMin(node: Node) -> Form:
    return _reduced(
        node, lambda x, axes, kept: -_largest(-x, axes, kept) if x.is_signed() else x.amin(axes, kept)
    )


def ReduceProd(node: Node) -> Form:
    def product(x: Tensor, axes: Axes, kept: bool) -> Tensor:
        for axis in sorted(axes, reverse=True):
            x = x.prod(axis, keepdim=kept)
        return x

    return _reduced(node, product)


def ReduceL1(node: Node) -> Form:
    return _reduced(node, lambda x, axes, kept: _sum(x.abs(), axes, kept))


def ReduceL2(node: Node) -> Form:
    return _reduced(node, lambda x, axes, kept: _sum(x * x, axes, kept).sqrt())


def ReduceSumSquare(node: Node) -> Form:
    return _reduced(node, lambda x, axes, kept: _sum(x * x, axes, kept))


def ReduceLogSum(node: Node) -> Form:
    return _reduced(node, lambda x, axes, kept: _sum(x, axes, kept).log())


def ReduceLogSumExp(node: Node) -> Form:
    return _reduced(node, lambda x, axes, kept: torch.logsumexp(x, axes, keepdim=kept))


def _sum(x: Tensor, axes: Axes, kept: bool) -> Tensor:
    return x.sum(axes, keepdim=kept, dtype=x.dtype)


def _mean(x: Tensor, axes: Axes, kept: bool) -> Tensor:
    if x.is_floating_point():
        return x.mean(axes, keepdim=kept)
    count = 1
    for axis in axes:
        count *= x.shape[axis]
    return torch.div(_sum(x, axes, kept), count, rounding_mode="trunc")


def _largest(x: Tensor, axes: Axes, kept: bool) -> Tensor:
    return x.amax(axes, keepdim=kept)


def _reduced(node: Node, compute: Reduction) -> Form:
    """Over `axes`, an attribute or the second input; over all where there are none, or with noop_with_empty_axes over none."""
    rank = node.operand(0).rank
    given = node.ints(1) if node.has(1) else node.attributes.get("axes")
    axes = tuple(node.from_front(int(a), rank) + 1 for a in given or ())
    if not axes and not node.attributes.get("noop_with_empty_axes", 0):
        axes = tuple(range(1, rank + 1))
    kept = bool(node.attributes.get("keepdims", 1))
    if axes:
        return Samples(lambda x, *_: compute(x, axes, kept))
    # No axes: the operator over each value by itself, which is an axis of one.
    return Samples(lambda x, *_: compute(x.unsqueeze(-1), (x.dim(),), False))


def _softmax(node: Node, compute: Callable[[Tensor, int], Tensor]) -> Form:
    """Along one axis; below opset 13 over all axes from that one on."""
    if node.opset >= 13:
        axis = node.axis(-1) + 1
        return Samples(lambda x: compute(x, axis))
    axis = node.axis(1) + 1
    return Samples(
        lambda x: compute(x.flatten(axis), axis).reshape(x.shape) if x.dim() > axis + 1 else compute(x, axis)
    )


def _position(node: Node, compute: Callable[[Tensor, int], Tensor]) -> Form:
    """Of the first extreme value; with select_last_index of the last."""
    axis, kept = node.axis(0) + 1, bool(node.attributes.get("keepdims", 1))
    last, length = bool(node.attributes.get("select_last_index", 0)), node.operand(0).shape[axis - 1]

    def run(x: Tensor) -> Tensor:
        found = length - 1 - compute(x.flip(axis), axis) if last else compute(x, axis)
        return found.unsqueeze(axis) if kept else found

    return Samples(run)


def _cumulative(node: Node, compute: Callable[[Tensor, int], Tensor], neutral: float) -> Form:
    axis = node.from_front(node.ints(1)[0], node.operand(0).rank) + 1
    backwards, without = bool(node.attributes.get("reverse", 0)), bool(node.attributes.get("exclusive", 0))

    def run(x: Tensor, *_: Tensor) -> Tensor:
        x = x.flip(axis) if backwards else x
        y = compute(x, axis).to(x.dtype)
        if without:
            first = torch.full_like(y.narrow(axis, 0, 1), neutral)
            y = torch.cat([first, y.narrow(axis, 0, y.shape[axis] - 1)], axis)
        return y.flip(axis) if backwards else y

    return Samples(run)
