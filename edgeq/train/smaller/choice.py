"""Which channels are removed for a share of the multiply-accumulates: those that cost the outputs least for the time that they save.

Units that stand on the same axes of the same layers are a group. A group loses as many at once as leave a multiple that kernels are
fast with; the group with the least importance for the time that this saves is next.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgeq.train.smaller.kernel_time import layer_time, macs_of_layers
from edgeq.train.smaller.layers import Layer
from edgeq.train.smaller.units import KEPT

Mask = npt.NDArray[np.bool_]
Importance = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class _Group:
    """`units`, the least important first. `sides`: the layers where each is so many outputs (0) or inputs (1)."""

    units: tuple[int, ...]
    sides: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, eq=False)
class _Step:
    """What a group loses next, and what that saves; `rate`: what the outputs lose for the time."""

    group: _Group
    units: tuple[int, ...]
    macs: int
    rate: float


def fewer_channels(layers: Sequence[Layer], importance: Importance, most: int, goal: int = 0) -> Mask:
    """[units] those to remove, so that the layers have at most `most` multiply-accumulates, or as few as can be.
    A step that would leave fewer than `goal` takes no more units than that needs, even if what is left is no multiple.
    """
    waiting = dict.fromkeys(_groups(layers, importance), 0)
    counts = [[len(layer.outputs), len(layer.inputs)] for layer in layers]
    removed = np.zeros(max(len(importance), 1 + _last(layers)), bool)
    macs = macs_of_layers(layers)
    while macs > most:
        steps = [
            s
            for group, gone in waiting.items()
            if (s := _step(group, gone, layers, counts, importance)) is not None
        ]
        if not steps:
            break
        step = min(steps, key=lambda s: (s.rate, s.group.units[0]))
        if macs - step.macs < goal:
            step = _no_larger_than_needed(step, macs - goal, layers, counts, importance)
        removed[list(step.units)] = True
        for k, side, each in step.group.sides:
            counts[k][side] -= each * len(step.units)
        waiting[step.group] += len(step.units)
        macs -= step.macs
    return removed


def _no_larger_than_needed(
    step: _Step,
    needed: float,
    layers: Sequence[Layer],
    counts: Sequence[Sequence[int]],
    importance: Importance,
) -> _Step:
    """The last step, with as few units as do: whoever asks for a share is given that, not a multiple beyond it."""
    for count in range(1, len(step.units)):
        smaller = _taking(step.group, step.units[:count], layers, counts, importance)
        if smaller.macs >= needed:
            return smaller
    return step


def _last(layers: Sequence[Layer]) -> int:
    return max((int(max(layer.outputs.max(), layer.inputs.max())) for layer in layers), default=0)


def _groups(layers: Sequence[Layer], importance: Importance) -> list[_Group]:
    sides: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
    for k, layer in enumerate(layers):
        for side, units in enumerate((layer.outputs, layer.inputs)):
            for unit, count in zip(*np.unique(units, return_counts=True), strict=True):
                if unit != KEPT:
                    sides[int(unit)].append((k, side, int(count)))
    groups: dict[tuple[tuple[int, int, int], ...], list[int]] = defaultdict(list)
    for unit, found in sides.items():
        groups[tuple(found)].append(unit)
    return [
        _Group(tuple(sorted(units, key=lambda u: (importance[u] if u < len(importance) else 0.0, u))), found)
        for found, units in groups.items()
    ]


def _step(
    group: _Group, gone: int, layers: Sequence[Layer], counts: Sequence[Sequence[int]], importance: Importance
) -> _Step | None:
    """None where too few are left."""
    left = len(group.units) - gone
    multiple = 8 if left > 8 else 4 if left > 4 else 1
    fewer = (left - 1) // multiple * multiple
    if fewer < 1:
        return None
    return _taking(group, group.units[gone : gone + left - fewer], layers, counts, importance)


def _taking(
    group: _Group,
    units: tuple[int, ...],
    layers: Sequence[Layer],
    counts: Sequence[Sequence[int]],
    importance: Importance,
) -> _Step:
    less: dict[int, list[int]] = defaultdict(lambda: [0, 0])
    for k, side, each in group.sides:
        less[k][side] += each * len(units)
    macs, time = 0, 0
    for k, (a, b) in less.items():
        layer, (outputs, inputs) = layers[k], counts[k]
        macs += layer.places * layer.kernel * (outputs * inputs - (outputs - a) * (inputs - b))
        time += layer_time(layer, outputs, inputs) - layer_time(layer, outputs - a, inputs - b)
    lost = sum(float(importance[u]) for u in units if u < len(importance))
    return _Step(group, units, macs, lost / max(time, 1))
