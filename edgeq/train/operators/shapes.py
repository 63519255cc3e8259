"""Operators that look at shapes, or give values another shape and order, and compute nothing."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from edgeq.train.element_types import torch_tensor
from edgeq.train.forms import Fixed, Form, Rows, Samples, same_samples
from edgeq.train.node import Node


def Shape(node: Node) -> Form:
    """Of one sample."""
    shape = node.operand(0).shape
    end = node.attributes.get("end")
    return Fixed(torch.tensor(shape[int(node.attributes.get("start", 0)) : end], dtype=torch.int64))


def Size(node: Node) -> Form:
    return Fixed(torch.tensor(math.prod(node.operand(0).shape), dtype=torch.int64))


def Constant(node: Node) -> Form:
    """Of numbers in attributes; a whole tensor is stored like an initializer."""
    for name, dtype in (("value_float", torch.float32), ("value_floats", torch.float32)):
        if name in node.attributes:
            return Fixed(torch.tensor(node.attributes[name], dtype=dtype))
    for name in ("value_int", "value_ints"):
        if name in node.attributes:
            return Fixed(torch.tensor(node.attributes[name], dtype=torch.int64))
    raise node.refused("holds no dense numbers", "store it as a dense tensor")


def ConstantOfShape(node: Node) -> Form:
    stored = node.attributes.get("value")
    value = torch.zeros(1) if stored is None else torch_tensor(stored)
    if value is None:
        raise node.refused("has a type that torch has not", "use float32 or an integer")
    return Fixed(value.reshape(()).expand(node.ints(0)).clone())


def Range(node: Node) -> Form:
    start, limit, delta = (node.fixed(k).item() for k in range(3))
    count = max(math.ceil((limit - start) / delta), 0)
    held = node.operand(0).dtype
    return Fixed((torch.arange(count, dtype=torch.float64) * delta + start).to(held))


def Reshape(node: Node) -> Form:
    own, wanted = node.operand(0).shape, list(node.ints(1))
    if not node.attributes.get("allowzero", 0):
        wanted = [own[k] if d == 0 else d for k, d in enumerate(wanted)]
    return _reshaped(node, wanted)


def Flatten(node: Node) -> Form:
    shape = node.operand(0).shape
    axis = int(node.attributes.get("axis", 1))
    axis = axis + len(shape) if axis < 0 else axis
    if axis == 1 and node.operand(0).in_front:
        return Rows(lambda x: x.flatten(1) if x.dim() > 1 else x.unsqueeze(1))
    return _reshaped(node, [math.prod(shape[:axis]), math.prod(shape[axis:])])


def Squeeze(node: Node) -> Form:
    shape = node.operand(0).shape
    given = node.ints(1) if node.has(1) else node.attributes.get("axes")
    axes = {k for k, d in enumerate(shape) if d == 1}
    if given is not None:
        axes = {node.from_front(int(a), len(shape)) for a in given}
    return _reshaped(node, [d for k, d in enumerate(shape) if k not in axes])


def Unsqueeze(node: Node) -> Form:
    given = node.ints(1) if node.has(1) else node.attributes["axes"]
    shape = list(node.operand(0).shape)
    rank = len(shape) + len(given)
    for axis in sorted(node.from_front(int(a), rank) for a in given):
        shape.insert(axis, 1)
    return _reshaped(node, shape)


def Transpose(node: Node) -> Form:
    rank = node.operand(0).rank
    order = (0, *(int(p) + 1 for p in node.attributes.get("perm", range(rank)[::-1])))
    return Samples(lambda x: x.permute(order))


def Expand(node: Node) -> Form:
    own, wanted = node.operand(0).shape, node.ints(1)
    shape = torch.broadcast_shapes(own, wanted)
    ones = (1,) * (len(shape) - len(own))
    return Samples(lambda x, _: x.reshape(x.shape[0], *ones, *own).expand(x.shape[0], *shape))


def Tile(node: Node) -> Form:
    repeats = node.ints(1)
    return Samples(lambda x, _: x.repeat(1, *repeats))


def Concat(node: Node) -> Form:
    axis = node.axis(0) + 1
    return Samples(lambda *given: torch.cat(same_samples(*given), axis))


def Split(node: Node) -> Form:
    """By sizes, or into as many equal parts as there are outputs, the last of which may be smaller."""
    axis = node.axis(0)
    length, parts = node.operand(0).shape[axis], len(node.outputs)
    sizes = node.ints(1) if node.has(1) else node.attributes.get("split")
    if sizes is None:
        part = -(-length // int(node.attributes.get("num_outputs", parts)))
        sizes = [min(part, length - k * part) for k in range(parts)]
    lengths = [int(s) for s in sizes]
    return Samples(lambda x, *_: tuple(torch.split(x, lengths, axis + 1)))


def Slice(node: Node) -> Form:
    """By attributes below opset 10."""
    shape = node.operand(0).shape
    if node.opset < 10:
        starts, ends = node.attributes["starts"], node.attributes["ends"]
        axes, steps = node.attributes.get("axes"), None
    else:
        starts, ends = node.ints(1), node.ints(2)
        axes = node.ints(3) if node.has(3) else None
        steps = node.ints(4) if node.has(4) else None
    axes = range(len(starts)) if axes is None else axes
    cuts = [
        (node.from_front(int(axis), len(shape)), slice(int(start), int(end), int(step)))
        for axis, start, end, step in zip(axes, starts, ends, steps or [1] * len(starts), strict=True)
    ]
    taken = [(axis + 1, range(*cut.indices(shape[axis]))) for axis, cut in cuts]

    def compute(x: Tensor, *_: Tensor) -> Tensor:
        for axis, indices in taken:
            x = _taken(x, axis, indices)
        return x

    return Samples(compute)


def DepthToSpace(node: Node) -> Form:
    size = int(node.attributes["blocksize"])
    _, channels, height, width = node.operand(0).shape
    left = channels // size**2
    columns_first = node.text("mode", "DCR") == "CRD"

    def compute(x: Tensor) -> Tensor:
        if columns_first:
            x = x.reshape(-1, left, size, size, height, width).permute(0, 1, 4, 2, 5, 3)
        else:
            x = x.reshape(-1, size, size, left, height, width).permute(0, 3, 4, 1, 5, 2)
        return x.reshape(-1, left, height * size, width * size)

    return Rows(compute)


def SpaceToDepth(node: Node) -> Form:
    size = int(node.attributes["blocksize"])
    _, channels, height, width = node.operand(0).shape
    high, wide = height // size, width // size

    def compute(x: Tensor) -> Tensor:
        x = x.reshape(-1, channels, high, size, wide, size).permute(0, 3, 5, 1, 2, 4)
        return x.reshape(-1, channels * size**2, high, wide)

    return Rows(compute)


def EyeLike(node: Node) -> Form:
    rows, columns = node.operand(0).shape
    shift = int(node.attributes.get("k", 0))
    eye = torch.ones(rows, columns).triu(shift).tril(shift)
    return Fixed(eye.to(node.operand(0).dtype))


def Trilu(node: Node) -> Form:
    shift = node.ints(1)[0] if node.has(1) else 0
    cut: Callable[..., Tensor] = torch.triu if node.attributes.get("upper", 1) else torch.tril
    return Samples(lambda x, *_: cut(x, shift))


def _reshaped(node: Node, wanted: list[int]) -> Form:
    """-1: whatever is left."""
    shape = node.operand(0).shape
    if -1 in wanted:
        others = -math.prod(wanted)
        wanted = [math.prod(shape) // max(others, 1) if d == -1 else d for d in wanted]
    return Samples(lambda x, *_: x.reshape(x.shape[0], *wanted))


def _taken(x: Tensor, axis: int, indices: range) -> Tensor:
    if indices.step > 0:
        cut = [slice(None)] * axis + [slice(indices.start, max(indices.stop, indices.start), indices.step)]
        return x[tuple(cut)]
    return x.index_select(axis, torch.tensor(list(indices), dtype=torch.int64, device=x.device))
