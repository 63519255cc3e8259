"""Matches the inputs and outputs of a .tflite file with those of its ONNX source, and finds how they differ: shape or axes.

An application feeds every candidate of a bundle alike, whichever went live, so all have the source's ends. onnx2tf
renames some, makes scalars vectors and leaves the channels of an output last. Which axes an output has is found by its
values: the shape of a 1x8x8x8 does not tell. Changes nothing; that is rewrite.py.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from edgeq.errors import ConversionFailed
from edgeq.ingest.onnx_to_tflite.call import REMEDY
from edgeq.ingest.onnx_to_tflite.pins import CONVERTER
from edgeq.ingest.onnx_to_tflite.proof import ENOUGH_DB, Arrays, sqnr_db
from edgeq.nouns.tensor import TensorSpec

Shape = tuple[int, ...]


@dataclass(frozen=True)
class InFile:
    """An input or output as the file has it."""

    name: str
    shape: Shape


@dataclass(frozen=True)
class End:
    """One input or output of the source: its name and shape, and where it is in the file. `axes` of the file's tensor
    give the source's order, as numpy.transpose takes them; None where the order is the same.
    """

    name: str
    shape: Shape
    position: int
    axes: Shape | None = None


def inputs_in(file: Sequence[InFile], specs: Sequence[TensorSpec]) -> tuple[End, ...]:
    """Raises ConversionFailed when an input of the source is not in the file, or has other elements there."""
    ends = []
    for spec, position in zip(specs, _positions(file, specs, "input"), strict=True):
        shape = _fixed(spec)
        if np.prod(file[position].shape) != np.prod(shape):
            raise ConversionFailed(
                f"{CONVERTER} gave the input {spec} the shape {file[position].shape}", REMEDY
            )
        ends.append(End(spec.name, shape, position))
    return tuple(ends)


def outputs_in(
    file: Sequence[InFile], specs: Sequence[TensorSpec], expected: Arrays, got: Arrays
) -> tuple[End, ...]:
    """`expected` are the source's outputs in its order, `got` the file's in the file's. An output whose values fit in
    no order of axes stays as it is; the proof says so afterwards.
    """
    ends = []
    for spec, before, position in zip(specs, expected, _positions(file, specs, "output"), strict=True):
        ends.append(End(spec.name, before.shape, position, _axes(before, got[position])))
    return tuple(ends)


def fed(ends: Sequence[End], file: Sequence[InFile], arrays: Arrays) -> Arrays:
    """The source's inputs in the file's order and shapes."""
    given: list[np.ndarray] = [np.empty(0)] * len(file)
    for end, array in zip(ends, arrays, strict=True):
        given[end.position] = array.reshape(file[end.position].shape)
    return tuple(given)


def _positions(file: Sequence[InFile], specs: Sequence[TensorSpec], role: str) -> list[int]:
    """By name, which onnx2tf changes only in its marks (x:0 becomes x__0); by order where names say nothing."""
    if len(file) != len(specs):
        there = ", ".join(end.name for end in file)
        raise ConversionFailed(
            f"{CONVERTER} made a file with the {role}s {there or 'none'}; the model's are {', '.join(s.name for s in specs)}",
            REMEDY,
        )
    known = {_letters(end.name): position for position, end in enumerate(file)}
    wanted = [_letters(spec.name) for spec in specs]
    if len(known) == len(file) and set(wanted) == set(known):
        return [known[name] for name in wanted]
    return list(range(len(specs)))


def _letters(name: str) -> str:
    return re.sub(r"[\W_]+", "", name)


def _fixed(spec: TensorSpec) -> Shape:
    return tuple(1 if d is None else d for d in spec.shape)


def _axes(expected: np.ndarray, got: np.ndarray) -> Shape | None:
    """The first order of axes in which the values are the same; the file's own comes first, then channels last."""
    if expected.size != got.size or (expected.size and _fits(expected, got.reshape(expected.shape))):
        return None
    return next(
        (axes for axes in _orders(expected.shape, got.shape) if _fits(expected, got.transpose(axes))), None
    )


def _orders(wanted: Shape, there: Shape) -> Iterator[Shape]:
    rank = len(there)
    if rank != len(wanted) or rank < 3:
        return
    for axes in ((0, rank - 1, *range(1, rank - 1)), *permutations(range(rank))):
        if tuple(there[a] for a in axes) == wanted:
            yield axes


def _fits(expected: np.ndarray, got: np.ndarray) -> bool:
    return sqnr_db(expected, got) >= ENOUGH_DB
