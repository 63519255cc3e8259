"""Operators that pick values by indices, or put values at indices."""

import torch
from torch import Tensor
from torch.nn import functional as F

from edgeq.train.forms import Fixed, Form, Samples, same_samples
from edgeq.train.node import Node


def Gather(node: Node) -> Form:
    axis, indices = node.axis(0), node.operand(1)
    length = node.operand(0).shape[axis]
    if indices.fixed is not None:
        return _gathered_at(axis + 1, length, indices.fixed)
    if not node.operand(0).batched and node.operand(0).rank == 2 and axis == 0:
        return Samples(lambda table, at: F.embedding(_counted(at, length).long(), table[0]))
    return Samples(lambda x, at: _gathered(x, axis + 1, _counted(at, length).long()))


def GatherElements(node: Node) -> Form:
    axis = node.axis(0)
    length = node.operand(0).shape[axis]

    def compute(x: Tensor, at: Tensor) -> Tensor:
        x, at = same_samples(x, _counted(at, length).long())
        return torch.gather(x, axis + 1, at)

    return Samples(compute)


def GatherND(node: Node) -> Form:
    if node.attributes.get("batch_dims", 0):
        raise node.refused("has batch_dims", "gather along one axis")
    shape = node.operand(0).shape

    def compute(x: Tensor, at: Tensor) -> Tensor:
        x, at = same_samples(x, at.long())
        return x[(_samples(x, at.dim() - 1), *_places(at, shape))]

    return Samples(compute)


def ScatterND(node: Node) -> Form:
    shape, reduction = node.operand(0).shape, node.text("reduction", "none")
    if reduction not in ("none", "add"):
        raise node.refused(f"scatters with {reduction}", "scatter with add, or without a reduction")

    def compute(x: Tensor, at: Tensor, updates: Tensor) -> Tensor:
        x, at, updates = same_samples(x, at.long(), updates)
        places = (_samples(x, at.dim() - 1), *_places(at, shape))
        return x.index_put(places, updates, accumulate=reduction == "add")

    return Samples(compute)


def ScatterElements(node: Node) -> Form:
    axis, reduction = node.axis(0), node.text("reduction", "none")
    length = node.operand(0).shape[axis]
    kinds = {"add": "sum", "mul": "prod", "max": "amax", "min": "amin"}

    def compute(x: Tensor, at: Tensor, updates: Tensor) -> Tensor:
        x, at, updates = same_samples(x, _counted(at, length).long(), updates)
        if reduction == "none":
            return x.scatter(axis + 1, at, updates)
        return x.scatter_reduce(axis + 1, at, updates, kinds[reduction])

    return Samples(compute)


def OneHot(node: Node) -> Form:
    depth, (off, on) = node.ints(1)[0], node.fixed(2)
    rank = node.operand(0).rank + 1
    axis = node.from_front(int(node.attributes.get("axis", -1)), rank) + 1

    def compute(at: Tensor, *_: Tensor) -> Tensor:
        places = torch.arange(depth, device=at.device)
        hot = torch.remainder(at, depth).unsqueeze(-1) == places
        inside = ((at >= -depth) & (at < depth)).unsqueeze(-1)
        return torch.where(hot & inside, on, off).movedim(-1, axis)

    return Samples(compute)


def NonZero(node: Node) -> Form:
    """Of what is known beforehand: of samples each has another number of them."""
    return Fixed(node.fixed(0).nonzero().T.contiguous())


def ReverseSequence(node: Node) -> Form:
    lengths = node.ints(1)
    time, batch = (int(node.attributes.get(f"{n}_axis", d)) + 1 for n, d in (("time", 0), ("batch", 1)))

    def compute(x: Tensor, *_: Tensor) -> Tensor:
        parts = []
        for part, length in zip(x.split(1, batch), lengths, strict=True):
            ahead, behind = part.split([length, part.shape[time] - length], time)
            parts.append(torch.cat([ahead.flip(time), behind], time))
        return torch.cat(parts, batch)

    return Samples(compute)


def Compress(node: Node) -> Form:
    kept = [k for k, taken in enumerate(node.ints(1)) if taken]
    if "axis" not in node.attributes:
        return Samples(lambda x, _: x.flatten(1)[:, kept])
    axis, places = node.axis(0) + 1, torch.tensor(kept)
    return Samples(lambda x, _: x.index_select(axis, places.to(x.device)))


def _gathered_at(axis: int, length: int, indices: Tensor) -> Form:
    """With indices that are the same for all: by views where there is one index."""
    at = _counted(indices.flatten().long(), length)
    if indices.dim() == 0:
        first = int(at[0])
        return Samples(lambda x, _: x.select(axis, first))
    shape = tuple(indices.shape)

    def compute(x: Tensor, _: Tensor) -> Tensor:
        y = x.index_select(axis, at.to(x.device))
        return y if len(shape) == 1 else y.reshape(*x.shape[:axis], *shape, *x.shape[axis + 1 :])

    return Samples(compute)


def _gathered(x: Tensor, axis: int, at: Tensor) -> Tensor:
    """`x` [B, ...] at its own indices `at` [B, *k] along `axis`: [B, ..., *k, ...]."""
    x, at = same_samples(x, at)
    y = x.movedim(axis, 1)[_samples(x, at.dim()), at]
    ahead, picked = axis - 1, at.dim() - 1
    order = [0, *range(1 + picked, 1 + picked + ahead), *range(1, 1 + picked)]
    return y.permute(*order, *range(len(order), y.dim()))


def _samples(x: Tensor, rank: int) -> Tensor:
    """The index of each sample, to broadcast with indices of this rank."""
    return torch.arange(x.shape[0], device=x.device).reshape(-1, *[1] * (rank - 1))


def _places(at: Tensor, shape: tuple[int, ...]) -> tuple[Tensor, ...]:
    return tuple(_counted(k, length) for k, length in zip(at.unbind(-1), shape, strict=False))


def _counted(at: Tensor, length: int) -> Tensor:
    """Negative indices count from the end."""
    return torch.where(at < 0, at + length, at)
