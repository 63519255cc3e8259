"""Do the tensors given fit the inputs that the graph states? A batch of N stands in the place of a first dimension of 1, or in front."""

from collections.abc import Sequence

import onnx
import torch
from torch import Tensor

from edgeq.errors import DataRefused

from .element_types import torch_type
from .node import Operand

Shape = tuple[int | None, ...]


def operands_of(stated: Sequence[onnx.ValueInfoProto], given: Sequence[Tensor]) -> list[Operand]:
    """One sample of each input. Raises DataRefused."""
    if len(given) != len(stated):
        names = ", ".join(i.name for i in stated)
        raise DataRefused(
            f"the model takes {len(stated)} inputs and was given {len(given)}", f"give {names}, in this order"
        )
    return [_operand(i, x) for i, x in zip(stated, given, strict=True)]


def example(stated: Sequence[onnx.ValueInfoProto]) -> list[Tensor] | None:
    """Zeros as a batch of one; None where a shape is open beyond the batch, or a type is none of torch's."""
    found = []
    for value in stated:
        shape, held = _stated_shape(value), torch_type(value.type.tensor_type.elem_type)
        known = [d for d in (shape or ())[1:] if d is not None]
        if shape is None or held is None or len(known) < len(shape[1:]):
            return None
        own = [*known] if _in_place(shape) else [*(d for d in shape if d is not None)]
        found.append(torch.zeros(1, *own, dtype=held))
    return found


def _stated_shape(value: onnx.ValueInfoProto) -> Shape | None:
    """None where even the number of dimensions is open."""
    kind = value.type.tensor_type
    if not kind.HasField("shape"):
        return None
    return tuple(d.dim_value if d.HasField("dim_value") else None for d in kind.shape.dim)


def _in_place(shape: Shape | None) -> bool:
    """Whether the batch stands in the place of the first dimension."""
    return shape is None or shape[:1] in ((1,), (None,))


def _operand(stated: onnx.ValueInfoProto, x: torch.Tensor) -> Operand:
    """Of one sample of the batch `x`. Raises DataRefused."""
    shape = _stated_shape(stated)
    own = (1, *x.shape[1:]) if _in_place(shape) else tuple(x.shape[1:])
    if shape is not None and not _fits(own, shape):
        wanted = [1 if k == 0 and d is None else d or "any" for k, d in enumerate(shape)]
        raise DataRefused(
            f"input {stated.name} is {list(x.shape)}, and one sample of it is {wanted}",
            "give a batch of N samples as [N, ...], in the place of a first dimension of 1",
        )
    kind = int(stated.type.tensor_type.elem_type)
    held = torch_type(kind)
    if held is None or held.is_floating_point != x.dtype.is_floating_point:
        raise DataRefused(f"input {stated.name} is {x.dtype}, and the model takes {held}", "convert it")
    return Operand(stated.name, own, x.dtype, batched=True, element_type=kind)


def _fits(shape: tuple[int, ...], stated: Shape) -> bool:
    return len(shape) == len(stated) and all(s in (None, d) for d, s in zip(shape, stated, strict=True))
