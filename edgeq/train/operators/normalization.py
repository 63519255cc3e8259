"""Normalizations, as they are computed after training: batch norm by its stored statistics."""

import torch
from torch import Tensor
from torch.nn import functional as F

from edgeq.train.forms import Form, Rows, Samples, same_rank
from edgeq.train.node import Node


def BatchNormalization(node: Node) -> Form:
    node.plain(1, 2, 3, 4)
    node.only(1)
    if node.attributes.get("training_mode", 0):
        raise node.refused("normalizes by the statistics of the batch", "export the model in evaluation mode")
    eps = float(node.attributes.get("epsilon", 1e-5))
    return Rows(lambda x, w, b, mean, var: F.batch_norm(x, mean, var, w, b, False, 0.0, eps))


def InstanceNormalization(node: Node) -> Form:
    node.plain(1, 2)
    eps = float(node.attributes.get("epsilon", 1e-5))
    return Rows(lambda x, w, b: F.instance_norm(x, weight=w, bias=b, eps=eps))


def GroupNormalization(node: Node) -> Form:
    """Scale and bias are per channel since opset 21, per group before."""
    node.plain(1, 2)
    groups, eps = int(node.attributes["num_groups"]), float(node.attributes.get("epsilon", 1e-5))
    repeated = node.operand(0).shape[1] // groups if node.opset < 21 else 1

    def compute(x: Tensor, w: Tensor, b: Tensor) -> Tensor:
        if repeated > 1:
            w, b = w.repeat_interleave(repeated), b.repeat_interleave(repeated)
        return F.group_norm(x, groups, w, b, eps)

    return Rows(compute)


def LayerNormalization(node: Node) -> Form:
    """The mean and the inverse standard deviation too, where they are asked for."""
    axis, rank = node.axis(-1), node.operand(0).rank
    shape, eps = node.operand(0).shape[axis:], float(node.attributes.get("epsilon", 1e-5))
    plain = all(not node.has(k) or _of_shape(node, k, shape) for k in (1, 2))
    if plain and axis > 0 and not any(node.outputs[1:]):
        return Rows(lambda x, w=None, b=None: F.layer_norm(x, shape, w, b, eps))
    axes = tuple(range(axis + 1, rank + 1))

    def compute(x: Tensor, w: Tensor, b: Tensor | None = None) -> tuple[Tensor, ...]:
        mean = x.mean(axes, keepdim=True)
        centred = x - mean
        inverse = torch.rsqrt((centred * centred).mean(axes, keepdim=True) + eps)
        return _scaled(centred * inverse, w, b), mean, inverse

    return Samples(compute)


def RMSNormalization(node: Node) -> Form:
    axis, rank = node.axis(-1), node.operand(0).rank
    eps = float(node.attributes.get("epsilon", 1e-5))
    axes = tuple(range(axis + 1, rank + 1))

    def compute(x: Tensor, w: Tensor) -> Tensor:
        return _scaled(x * torch.rsqrt((x * x).mean(axes, keepdim=True) + eps), w, None)

    return Samples(compute)


def LpNormalization(node: Node) -> Form:
    axis, p = node.axis(-1) + 1, float(node.attributes.get("p", 2))

    def compute(x: Tensor) -> Tensor:
        norm = x.abs().sum(axis, keepdim=True) if p == 1 else (x * x).sum(axis, keepdim=True).sqrt()
        return torch.where(norm == 0, torch.zeros_like(x), x / torch.where(norm == 0, 1.0, norm))

    return Samples(compute)


def MeanVarianceNormalization(node: Node) -> Form:
    rank = node.operand(0).rank
    axes = tuple(node.from_front(a, rank) + 1 for a in node.attributes.get("axes", (0, 2, 3)))

    def compute(x: Tensor) -> Tensor:
        centred = x - x.mean(axes, keepdim=True)
        return centred / ((centred * centred).mean(axes, keepdim=True).sqrt() + 1e-9)

    return Samples(compute)


def LRN(node: Node) -> Form:
    """y = x / (bias + alpha / size * sum of squares over `size` channels) ** beta."""
    size = int(node.attributes["size"])
    alpha, beta = float(node.attributes.get("alpha", 1e-4)), float(node.attributes.get("beta", 0.75))
    bias, before = float(node.attributes.get("bias", 1.0)), (size - 1) // 2

    def compute(x: Tensor) -> Tensor:
        squares = F.pad((x * x).movedim(1, -1), (before, size - 1 - before))
        sums = squares.unfold(-1, size, 1).sum(-1).movedim(-1, 1)
        return x / (bias + alpha / size * sums) ** beta

    return Rows(compute)


def _of_shape(node: Node, place: int, shape: tuple[int, ...]) -> bool:
    return not node.operand(place).batched and node.operand(place).shape == shape


def _scaled(y: Tensor, w: Tensor, b: Tensor | None) -> Tensor:
    y, w = same_rank(y, w)
    if b is None:
        return y * w
    y, b = same_rank(y, b)
    return y * w + b
