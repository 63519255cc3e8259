"""QuantizeLinear and DequantizeLinear as the standard defines them, without a gradient through the rounding.

The integers that QuantizeLinear gives are held as float32, which holds every integer of up to 16 bits: Clip, MaxPool, moves
and the like work on them as on numbers.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from edgeq.train.element_types import integer_range
from edgeq.train.forms import Compute, Each, Form, Samples
from edgeq.train.node import Node

_UINT8 = 2


def QuantizeLinear(node: Node) -> Form:
    """clip(round(x / scale) + zero_point), halves rounded to even, by the type of the zero point, or by output_dtype."""
    node.plain(1, 2)
    kind = node.operand(2).element_type if node.has(2) else 0
    found = integer_range(kind or int(node.attributes.get("output_dtype", 0)) or _UINT8)
    if found is None:
        raise node.refused("gives no integers of up to 16 bits", "quantize to int8, uint8, int16 or int4")
    low, high = found
    spread = _spread(node)

    def compute(x: Tensor, scale: Tensor, zero_point: Tensor | None = None) -> Tensor:
        rounded = torch.round(x / spread(scale))
        if zero_point is not None:
            rounded = rounded + spread(zero_point)
        return rounded.clamp(low, high)

    return _form(node, compute)


def DequantizeLinear(node: Node) -> Form:
    """(x - zero_point) * scale."""
    node.plain(1, 2)
    spread = _spread(node)

    def compute(x: Tensor, scale: Tensor, zero_point: Tensor | None = None) -> Tensor:
        scale = spread(scale)
        if zero_point is not None:
            # In 32-bit integers where both are: a difference of float32 loses the last bits of an int32.
            wide = x.dtype if x.is_floating_point() else torch.int32
            x = x.to(wide) - spread(zero_point).to(wide)
        return x.to(scale.dtype) * scale

    return _form(node, compute)


def _form(node: Node, compute: Compute) -> Form:
    per_tensor = all(not node.has(k) or node.operand(k).shape in ((), (1,)) for k in (1, 2))
    return Each(compute) if per_tensor else Samples(compute)


def _spread(node: Node) -> Callable[[Tensor], Tensor]:
    """Scale or zero point as it broadcasts over the input: per tensor, per axis or per block of an axis."""
    x, scale = node.operand(0), node.operand(1)
    block = int(node.attributes.get("block_size", 0))
    if scale.shape in ((), (1,)) and not block:
        return lambda s: s.reshape(())
    axis = node.axis(1)
    if block:
        length = x.shape[axis]
        return lambda s: s.repeat_interleave(block, axis + 1).narrow(axis + 1, 0, length)
    shape = [-1 if k == axis else 1 for k in range(x.rank)]
    return lambda s: s.reshape(1, *shape)
