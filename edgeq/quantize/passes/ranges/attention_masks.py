"""Which tensors lead to a softmax, and which of them hide scores from it: masks of -10000 or -1e9, and sums with them.

A share of e^-32 is none, so what is hidden stays hidden by any value below -32, and a scale that holds -10000 gives all scores one
step. The rule asks for that alone, not for the number that a model writes.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from edgeq.quantize.calibration.tensor_stats import Seen

SOFTMAX = frozenset({"SOFTMAX", "LOGSOFTMAX"})
MAX_POOL = frozenset({"MAXPOOL", "MAXPOOL2D", "GLOBALMAXPOOL"})

_HIDDEN = -32.0  # the largest value whose share of a softmax is lost
_DOMINATES = 8.0  # times the scores: they keep less than 5 of 8 bits
_MOVES = frozenset(
    [
        "RESHAPE",
        "TRANSPOSE",
        "SQUEEZE",
        "UNSQUEEZE",
        "EXPANDDIMS",
        "EXPAND",
        "BROADCASTTO",
        "FLATTEN",
        "CAST",
        "IDENTITY",
        "DROPOUT",
        "SLICE",
        "STRIDEDSLICE",
        "GATHER",
        "TILE",
    ]
)
_JOINS = frozenset(["ADD", "SUB", "WHERE", "SELECT", "SELECTV2", "MIN", "MINIMUM", "MAX", "MAXIMUM"])
_SUM_WITH_PRODUCT = "GEMM"  # its third input is added
_SCALES = frozenset(["MUL", "DIV"])


@dataclass(frozen=True)
class Layer:
    """`kind` as ONNX or TFLite write it, tensors by name. `name` is what the layer is left in float by."""

    name: str
    kind: str
    inputs: Sequence[str]
    outputs: Sequence[str]

    @property
    def plain_kind(self) -> str:
        """One spelling: MAXPOOL2D of MAX_POOL_2D, SOFTMAX of Softmax."""
        return self.kind.upper().replace("_", "")

    @property
    def carried(self) -> Sequence[str]:
        """Inputs whose values are in the outputs, moved, scaled, or joined with others by a sum or a choice."""
        kind = self.plain_kind
        if kind == _SUM_WITH_PRODUCT:
            return self.inputs[2:3]
        return self.inputs if kind in _JOINS | _SCALES else self.inputs[:1] if kind in _MOVES else ()


def leading_to(layers: Sequence[Layer], kinds: Collection[str]) -> frozenset[str]:
    """Tensors that are carried to a layer of `kinds`. `layers` are in the order in which they run."""
    found: set[str] = set()
    for layer in reversed(layers):
        if layer.plain_kind in kinds:
            found.update(layer.inputs)
        elif not found.isdisjoint(layer.outputs):
            found.update(layer.carried)
    return frozenset(found)


def hiding(layers: Sequence[Layer], tensors: Mapping[str, Seen]) -> frozenset[str]:
    """Masks that are joined with scores in front of a softmax, and every tensor from there to it. `layers` as above."""
    path = leading_to(layers, SOFTMAX)
    maker = {name: layer for layer in layers for name in layer.outputs}
    masked: set[str] = set()
    masks: set[str] = set()
    for layer in layers:
        out = next((o for o in layer.outputs if o in path), None)
        if out is None:
            continue
        if not masked.isdisjoint(layer.carried):
            masked.add(out)
            continue
        hides = _joined_masks(layer, tensors, out)
        if hides is not None:
            masked.add(out)
            masks |= hides
    return frozenset(masked | _with_what_they_move(masks, maker))


def _joined_masks(layer: Layer, tensors: Mapping[str, Seen], out: str) -> set[str] | None:
    """Those of its inputs that are masks, none where the mask is a constant; None where scores keep enough of the scale."""
    kind = layer.plain_kind
    if kind not in _JOINS | {_SUM_WITH_PRODUCT} or out not in tensors:
        return None
    low, high = tensors[out].extremes
    sizes = {i: _size(tensors[i]) for i in layer.carried if i in tensors and tensors[i].count}
    masks = {i for i, size in sizes.items() if size * 2 >= -low}
    scores = [size for i, size in sizes.items() if i not in masks]
    known = bool(masks) if kind == _SUM_WITH_PRODUCT else bool(scores)
    if low > _HIDDEN or not known or max(high, *scores, 0.0) * _DOMINATES > -low:
        return None
    return masks


def _size(seen: Seen) -> float:
    return max(map(abs, seen.extremes))


def _with_what_they_move(tensors: Collection[str], maker: Mapping[str, Layer]) -> set[str]:
    """`tensors`, and what each of them is a view of."""
    found: set[str] = set()
    for tensor in tensors:
        name: str | None = tensor
        while name is not None and name not in found:
            found.add(name)
            layer = maker.get(name)
            name = layer.inputs[0] if layer and layer.plain_kind in _MOVES and layer.inputs else None
    return found
