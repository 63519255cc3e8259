"""How a batch of N samples is laid out, and how an operator that knows one layout is called with another.

A value of shape [1, a, b] in the graph is [N, a, b] in a batch: N stands in the place of the 1 ("in front"). Any other shape [a, b]
becomes [N, a, b]. What is the same for all samples, weights and constants, keeps its shape ("plain"). So every sample is
computed as the graph says, whatever it does along its own first axis: no reshape or concatenation is guessed at. An operator
says by the class of what it returns which layout it computes on; changes of layout are views and copy nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from .node import Operand

Compute = Callable[..., Tensor | tuple[Tensor, ...]]
View = Callable[[Tensor], Tensor] | None


@dataclass(frozen=True)
class Fixed:
    """The output is known beforehand."""

    value: Tensor


@dataclass(frozen=True)
class Each:
    """Every value of the first input by itself, in any layout; other inputs are plain and have one value, or are not looked at."""

    compute: Compute


@dataclass(frozen=True)
class Rows:
    """Each index along the first axis of the first input by itself: [N * rows, ...]. Other inputs are plain."""

    compute: Compute


@dataclass(frozen=True)
class Broadcast:
    """Values of several inputs with each other, with numpy's broadcasting."""

    compute: Compute


@dataclass(frozen=True)
class Samples:
    """Anything. Each input gets an axis of samples in front of its shape, N long, or 1 long where it is plain;
    so have the outputs.
    """

    compute: Compute


Form = Fixed | Each | Rows | Broadcast | Samples


@dataclass(frozen=True)
class Layout:
    """`before`: a view of each input that the operator is called with. `after`: a view of each of its outputs."""

    before: tuple[View, ...]
    after: View
    batched: bool
    computed_by_sample: bool  # what compute returns has an axis of samples in front of the whole shape


def layout(form: Each | Rows | Broadcast | Samples, operands: Sequence[Operand | None]) -> Layout:
    batched = any(o.batched for o in operands if o)
    if isinstance(form, Broadcast):
        return _broadcast(operands, batched)
    if isinstance(form, Samples):
        return Layout(tuple(_by_sample(o) for o in operands), None, batched, True)
    first = operands[0]
    assert first is not None
    others = (None,) * (len(operands) - 1)
    if isinstance(form, Each) or first.in_front or not first.batched:
        by_sample = first.batched and not first.in_front
        return Layout((None, *others), None, first.batched, by_sample)
    return Layout((_merged, *others), _split(first.shape[0]), True, True)


def same_samples(*tensors: Tensor) -> tuple[Tensor, ...]:
    """Of `Samples`: those that are the same for all samples repeated (as a view) where others have N."""
    count = max(t.shape[0] for t in tensors)
    return tuple(t if t.shape[0] == count else t.expand(count, *t.shape[1:]) for t in tensors)


def same_rank(*tensors: Tensor) -> tuple[Tensor, ...]:
    """Of `Samples`: with ones behind the axis of samples, so that shapes broadcast from their ends."""
    rank = max(t.dim() for t in tensors)
    return tuple(t.reshape(t.shape[0], *[1] * (rank - t.dim()), *t.shape[1:]) for t in tensors)


def _broadcast(operands: Sequence[Operand | None], batched: bool) -> Layout:
    present = [o for o in operands if o]
    rank = max(o.rank for o in present)
    nothing: tuple[View, ...] = (None,) * len(operands)
    aligned = all(
        o.in_front and o.rank == rank if o.batched else o.rank < rank or o.shape[:1] == (1,) for o in present
    )
    if not batched or (aligned and rank > 0):
        return Layout(nothing, None, batched, False)
    before = tuple(_with_ones(o, rank) if o and o.batched else None for o in operands)
    return Layout(before, None, batched, True)


def _by_sample(operand: Operand | None) -> View:
    if operand is None or (operand.batched and not operand.in_front):
        return None
    return _unsqueeze_samples if operand.in_front else _unsqueeze_front


def _with_ones(operand: Operand, rank: int) -> View:
    shape = (*[1] * (rank - operand.rank), *operand.shape)
    return lambda x: x.reshape(x.shape[0], *shape)


def _split(rows: int) -> View:
    """[N * rows, ...] as [N, rows, ...]; an operator keeps the number of rows."""
    return lambda x: x.unflatten(0, (-1, rows))


def _merged(x: Tensor) -> Tensor:
    return x.flatten(0, 1)


def _unsqueeze_front(x: Tensor) -> Tensor:
    return x.unsqueeze(0)


def _unsqueeze_samples(x: Tensor) -> Tensor:
    return x.unsqueeze(1)
