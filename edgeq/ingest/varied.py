"""Samples of several shapes: which shapes occur, which one a device measures with, and which dimensions stay open."""

import math
from collections import Counter
from dataclasses import dataclass

import numpy as np

from edgeq.ingest.samples import Samples
from edgeq.nouns.model import Varied

Shapes = tuple[tuple[int, ...], ...]  # of one sample, in the order of the inputs


@dataclass(frozen=True)
class Survey:
    """`differ` names by input the axes that differ. `examples` are samples of the device's, the smallest and the largest
    shape, to check a graph with.
    """

    varied: Varied
    differ: dict[str, frozenset[int]]
    examples: tuple[tuple[np.ndarray, ...], ...]


def survey_of(samples: Samples, heldout: Samples) -> Survey | None:
    """`heldout` is the part of `samples` that judges. Reads every sample once; None where all have one shape."""
    first: dict[Shapes, int] = {}
    shapes = [tuple(array.shape for array in sample) for sample in samples]
    for i, found in enumerate(shapes):
        first.setdefault(found, i)
    if len(first) == 1:
        return None
    positions = set(heldout.indices)
    judging = Counter(found for at, found in zip(samples.indices, shapes, strict=True) if at in positions)
    device = max(judging, key=lambda found: (judging[found], _values(found), found))
    chosen = (device, min(first, key=lambda f: (_values(f), f)), max(first, key=lambda f: (_values(f), f)))
    names = [spec.name for spec in samples.inputs]
    varied = Varied(len(first), *(dict(zip(names, found, strict=True)) for found in chosen))
    return Survey(varied, _differ(names, list(first)), tuple(samples[first[found]] for found in chosen))


def text(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "scalar"


def _differ(names: list[str], shapes: list[Shapes]) -> dict[str, frozenset[int]]:
    found = {}
    for name, of_input in zip(names, zip(*shapes, strict=True), strict=True):
        axes = (axis for axis, sizes in enumerate(zip(*of_input, strict=True)) if len(set(sizes)) > 1)
        if differing := frozenset(axes):
            found[name] = differing
    return found


def _values(shapes: Shapes) -> int:
    return sum(map(math.prod, shapes))
