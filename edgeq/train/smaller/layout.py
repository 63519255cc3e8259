"""What operators that move values do with the units of these values, by doing the same with the array of units."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeq.graphs.onnx_index import OnnxIndex, attributes
from edgeq.train.smaller.constants import integers_of
from edgeq.train.smaller.units import Ids, Units, along, distinct, unrepeated

if TYPE_CHECKING:
    from onnx import NodeProto

Shape = tuple[int, ...]


def laid_out(
    node: "NodeProto", parts: Sequence[Ids], shapes: Sequence[Shape | None], index: OnnxIndex, units: Units
) -> list[Ids] | None:
    """The units of each output, whose shapes are `shapes`. None where the node could not be written anew without some of them."""
    if any(shape is None for shape in shapes):
        return None
    return _RULES[node.op_type](
        _Use(node, attributes(node), list(parts), [s or () for s in shapes], index, units)
    )


class _Use:
    def __init__(
        self,
        node: "NodeProto",
        named: dict[str, Any],
        parts: list[Ids],
        shapes: list[Shape],
        index: OnnxIndex,
        units: Units,
    ) -> None:
        self.node, self.named, self.parts, self.shapes, self.index, self.units = (
            node,
            named,
            parts,
            shapes,
            index,
            units,
        )

    @property
    def ids(self) -> Ids:
        return self.parts[0]

    def integers(self, place: int, name: str) -> list[int] | None:
        """Of an input, or of the attribute that older opsets have in its place; None: absent, or not constant."""
        if name in self.named:
            return [int(v) for v in np.atleast_1d(self.named[name])]
        return integers_of(self.index, self.node.input[place]) if len(self.node.input) > place else None

    def is_given(self, place: int) -> bool:
        return len(self.node.input) > place and bool(self.node.input[place])

    @property
    def axis(self) -> int:
        return int(self.named.get("axis", 0)) % self.ids.ndim


def _concat(use: _Use) -> list[Ids] | None:
    return [np.concatenate(use.parts, use.axis)]


def _expand(use: _Use) -> list[Ids] | None:
    if use.integers(1, "shape") is None and _any_varies(use):
        return None
    return [np.broadcast_to(use.ids, use.shapes[0])]


def _gather(use: _Use) -> list[Ids] | None:
    stored = use.index.constant(use.node.input[1])
    indices = use.integers(1, "")
    if stored is None or indices is None:
        return None
    return [np.take(use.ids, np.reshape(np.array(indices, np.int64), tuple(stored.dims)), use.axis)]


def _pad(use: _Use) -> list[Ids] | None:
    pads = use.integers(1, "pads")
    if pads is None or min(pads) < 0 or (use.is_given(3) and use.integers(3, "") is None):
        return None
    axes = use.integers(3, "") or list(range(use.ids.ndim))
    ids = use.ids
    for axis, front, back in zip(axes, pads, pads[len(axes) :], strict=False):
        padded = _padded(use, ids, axis % ids.ndim, front, back) if front or back else ids
        if padded is None:
            return None
        ids = padded
    return [ids]


def _padded(use: _Use, ids: Ids, axis: int, front: int, back: int) -> Ids | None:
    """Channels that a Pad adds are units of their own."""
    shape = list(ids.shape)
    if axis != 1 and not use.units.varies(ids, axis):
        shape[axis] += front + back
        return np.broadcast_to(ids.take([0], axis), shape)
    if use.named.get("mode", b"constant") not in (b"constant", "constant"):
        return None
    ends = []
    for count in (front, back):
        one = [1] * ids.ndim
        one[axis] = count
        ends.append(
            np.broadcast_to(use.units.fresh(count).reshape(one), [*shape[:axis], count, *shape[axis + 1 :]])
        )
    return np.concatenate([ends[0], ids, ends[1]], axis)


def _reshape(use: _Use) -> list[Ids] | None:
    """An axis that is split into several has its units tied along all of them but the one with the most."""
    if use.node.op_type == "Reshape" and use.integers(1, "shape") is None and _any_varies(use):
        return None
    ids = use.ids.reshape(use.shapes[0])
    roots = use.units.roots(unrepeated(ids))
    axes = [k for k in range(ids.ndim) if use.units.varies(roots, k)]
    if len(axes) > 1:
        along(use.units, ids, max(axes, key=lambda k: (distinct(roots, k), k)))
    return [ids]


def _slice(use: _Use) -> list[Ids] | None:
    starts, ends = use.integers(1, "starts"), use.integers(2, "ends")
    if starts is None or ends is None or any(use.is_given(k) and use.integers(k, "") is None for k in (3, 4)):
        return None
    axes = use.integers(3, "axes") or list(range(len(starts)))
    steps = use.integers(4, "steps") or [1] * len(starts)
    if any(step != 1 and use.units.varies(use.ids, axis) for axis, step in zip(axes, steps, strict=True)):
        return None
    chosen = [slice(None)] * use.ids.ndim
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        backwards_to_front = step < 0 and end < -use.ids.shape[axis]
        chosen[axis] = slice(start, None if backwards_to_front else end, step)
    return [use.ids[tuple(chosen)]]


def _split(use: _Use) -> list[Ids] | None:
    axis = use.axis
    ends = np.cumsum([shape[axis] for shape in use.shapes])
    return np.split(use.ids, ends[:-1], axis)


def _transpose(use: _Use) -> list[Ids] | None:
    return [np.transpose(use.ids, use.named.get("perm"))]


def _any_varies(use: _Use) -> bool:
    return any(use.units.varies(use.ids, k) for k in range(use.ids.ndim))


_RULES: dict[str, Callable[[_Use], list[Ids] | None]] = {
    "Concat": _concat,
    "Expand": _expand,
    "Flatten": _reshape,
    "Gather": _gather,
    "Pad": _pad,
    "Reshape": _reshape,
    "Slice": _slice,
    "Split": _split,
    "Squeeze": _reshape,
    "Transpose": _transpose,
    "Unsqueeze": _reshape,
}
