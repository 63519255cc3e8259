"""Pad, in every mode, and what repeats or crops values at the ends of axes."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from edgeq.train.forms import Form, Samples
from edgeq.train.node import Node

Ends = tuple[int, int]


def Pad(node: Node) -> Form:
    """By attributes below opset 11. Negative widths cut off."""
    rank, mode = node.operand(0).rank, node.text("mode", "constant")
    ends = _ends(node, rank)
    if mode == "constant":
        widths = tuple(w for axis in reversed(range(rank)) for w in ends[axis])
        value = _value(node)
        return Samples(lambda x, *_: F.pad(x, widths, value=value))
    sizes = node.operand(0).shape
    taken = {
        axis + 1: torch.tensor(_indices(sizes[axis], ends[axis], mode))
        for axis in range(rank)
        if any(ends[axis])
    }

    def compute(x: Tensor, *_: Tensor) -> Tensor:
        for axis, indices in taken.items():
            x = x.index_select(axis, indices.to(x.device))
        return x

    return Samples(compute)


def _ends(node: Node, rank: int) -> list[Ends]:
    """Before and behind each axis."""
    pads = node.ints(1) if node.opset >= 11 else tuple(int(p) for p in node.attributes["pads"])
    axes = [node.from_front(a, rank) for a in node.ints(3)] if node.has(3) else list(range(rank))
    ends = [(0, 0)] * rank
    for k, axis in enumerate(axes):
        ends[axis] = (pads[k], pads[k + len(axes)])
    return ends


def _value(node: Node) -> float:
    if node.opset < 11:
        return float(node.attributes.get("value", 0.0))
    return float(node.fixed(2).item()) if node.has(2) else 0.0


def _indices(size: int, ends: Ends, mode: str) -> list[int]:
    """Which values stand along an axis afterwards."""
    before, behind = max(ends[0], 0), max(ends[1], 0)
    found = np.pad(np.arange(size), (before, behind), mode=mode)  # type: ignore[call-overload]
    return [int(k) for k in found[max(-ends[0], 0) : len(found) - max(-ends[1], 0)]]
