"""Pooling over windows and over the whole area."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from edgeq.train.forms import Form, Rows
from edgeq.train.node import Node
from edgeq.train.windows import Padding, padding, per_axis, torch_pads

_MAX = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
_AVERAGE = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}


def MaxPool(node: Node) -> Form:
    node.only(1)
    window = _window(node)
    pool = _MAX[len(window.kernel)]

    def compute(x: Tensor) -> Tensor:
        return pool(x, window.kernel, window.strides, window.pads.begin, window.dilations)

    if _torch_takes(window):
        return Rows(compute)

    def padded(x: Tensor) -> Tensor:
        lowest = -math.inf if x.is_floating_point() else torch.iinfo(x.dtype).min
        x = F.pad(x, torch_pads(window.pads), value=lowest)
        return pool(x, window.kernel, window.strides, 0, window.dilations)

    return Rows(padded)


def AveragePool(node: Node) -> Form:
    window = _window(node)
    axes = len(window.kernel)
    counted = bool(node.attributes.get("count_include_pad", 0))
    if axes in (1, 2, 3) and set(window.dilations) == {1} and _torch_takes(window):
        pool = _AVERAGE[axes]
        return Rows(lambda x: pool(x, window.kernel, window.strides, window.pads.begin, False, counted))
    sums = _summing(window)

    def compute(x: Tensor) -> Tensor:
        ones = torch.ones((1, 1, *x.shape[2:]), dtype=x.dtype, device=x.device)
        if counted:
            ones = F.pad(ones, torch_pads(window.stated), value=1.0)
            return sums(x) / sums(ones, torch_pads(_difference(window.pads, window.stated)))
        return sums(x) / sums(ones)

    return Rows(compute)


def LpPool(node: Node) -> Form:
    window, p = _window(node), float(node.attributes.get("p", 2))
    sums = _summing(window)
    return Rows(lambda x: sums(x.abs() ** p) ** (1 / p))


def GlobalAveragePool(node: Node) -> Form:
    axes = tuple(range(2, node.operand(0).rank))
    return Rows(lambda x: x.mean(axes, keepdim=True))


def GlobalMaxPool(node: Node) -> Form:
    axes = tuple(range(2, node.operand(0).rank))
    return Rows(lambda x: x.amax(axes, keepdim=True))


def GlobalLpPool(node: Node) -> Form:
    axes, p = tuple(range(2, node.operand(0).rank)), float(node.attributes.get("p", 2))
    return Rows(lambda x: (x.abs() ** p).sum(axes, keepdim=True) ** (1 / p))


class _Window:
    """`pads` are those stated, and behind the end what ceil_mode needs for its last window; a window that would start in the
    padding behind the end is left out.
    """

    def __init__(self, node: Node) -> None:
        self.kernel = tuple(int(k) for k in node.attributes["kernel_shape"])
        axes = len(self.kernel)
        self.strides, self.dilations = per_axis(node, "strides", axes), per_axis(node, "dilations", axes)
        self.stated = padding(node, self.kernel, self.strides, self.dilations)
        self.pads = self.stated
        if node.attributes.get("ceil_mode", 0):
            self.pads = Padding(self.stated.begin, self._to_last_window(node.operand(0).shape[2:]))

    def _to_last_window(self, sizes: Sequence[int]) -> tuple[int, ...]:
        ends = []
        for n, k, s, d, b, e in zip(
            sizes, self.kernel, self.strides, self.dilations, self.stated.begin, self.stated.end, strict=True
        ):
            span = (k - 1) * d + 1
            windows = -(-(n + b + e - span) // s) + 1
            if (windows - 1) * s >= n + b:
                windows -= 1
            ends.append(max((windows - 1) * s + span - n - b, e if windows == 1 else 0))
        return tuple(ends)


def _window(node: Node) -> _Window:
    if len(node.attributes["kernel_shape"]) not in _MAX:
        raise node.refused("pools over more than three dimensions", "reshape its input")
    return _Window(node)


def _torch_takes(window: _Window) -> bool:
    """torch pads both ends alike, and by half a window at most."""
    spans = ((k - 1) * d + 1 for k, d in zip(window.kernel, window.dilations, strict=True))
    return window.pads.begin == window.pads.end and all(
        2 * p <= s and 2 * p <= k for p, s, k in zip(window.pads.begin, spans, window.kernel, strict=True)
    )


def _summing(window: _Window) -> Callable[..., Tensor]:
    """The sum over each window of the input, which is padded with zeros."""

    def sums(x: Tensor, pads: tuple[int, ...] = torch_pads(window.pads)) -> Tensor:
        x = F.pad(x, pads)
        for axis, (k, s, d) in enumerate(zip(window.kernel, window.strides, window.dilations, strict=True)):
            x = _sum_along(x, axis + 2, k, s, d)
        return x

    return sums


def _sum_along(x: Tensor, axis: int, kernel: int, stride: int, dilation: int) -> Tensor:
    span = (kernel - 1) * dilation + 1
    windows = x.unfold(axis, span, stride)
    return windows[..., ::dilation].sum(-1)


def _difference(one: Padding, other: Padding) -> Padding:
    return Padding(
        tuple(a - b for a, b in zip(one.begin, other.begin, strict=True)),
        tuple(a - b for a, b in zip(one.end, other.end, strict=True)),
    )
