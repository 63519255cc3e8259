"""Chooses the table of each symbol: weights of one output, input or place of the kernel spread alike, so each gets a class along
each axis, and the sum of a weight's classes is its table.

Begins with the logarithm of the spread, in steps of a share of an octave, and moves single classes while the code gets shorter.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import numpy.typing as npt

from edgeq.compress.expand.tables import BITS, MOST_TABLES, SYMBOLS, code_of, frequencies

Array = npt.NDArray[np.int8]
_STEPS = (4, 2, 1)  # classes an octave
_MANY = 400_000  # symbols, of which the finest classes are worth their tables
_ROUNDS = 2
_MOVES = (-2, -1, 0, 1, 2)
_BITS_OF_TABLE_ENTRY = 5.0  # of one frequency, packed
_BITS_OF_CLASS = 3.5
_TABLES = MOST_TABLES - 4  # of symbols of one kind; others need one
_RARE = 1 / 16  # the share of a count that a symbol gets which a table has not seen


@dataclass(frozen=True)
class Classes:
    """Of one tensor: a class for each place along each axis, None where all are 0, and the tables of its symbols, as shaped."""

    along: tuple[Array | None, ...]
    contexts: npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Classified:
    """`codes` are of the tables, as edgeq/compress/expand/tables.py reads them, `bits` what all of it takes."""

    tensors: tuple[Classes, ...]
    codes: tuple[bytes, ...]
    start: int
    bits: float


def classified(symbols: Sequence[Array], *, coarse: bool = False) -> Classified:
    """Of at least one tensor of symbols. Tries coarser classes as well: small files have to pay for every table. `coarse`: one
    table for all.
    """
    steps: tuple[int, ...] = (*_STEPS, 0)
    if coarse:
        steps = (0,)
    elif sum(s.size for s in symbols) > _MANY:
        steps = _STEPS[:1]
    return min((_classified(symbols, step) for step in steps), key=lambda found: found.bits)


def _classified(symbols: Sequence[Array], step: int) -> Classified:
    along = [_first_classes(s, step) for s in symbols]
    start = _TABLES // 2
    if step:
        for _ in range(_ROUNDS):
            lengths = _lengths(_counts(symbols, along, start))
            along = [_moved(s, a, start, lengths) for s, a in zip(symbols, along, strict=True)]
    contexts = [_contexts(s.shape, a, start) for s, a in zip(symbols, along, strict=True)]
    counts = _counts(symbols, along, start)
    used = np.flatnonzero(counts.any(axis=1))
    low = int(used[0])
    codes = tuple(table_codes(counts[k]) for k in range(low, int(used[-1]) + 1))
    bits = float((_lengths_of(codes) * counts[low : int(used[-1]) + 1]).sum())
    bits += sum(_BITS_OF_TABLE_ENTRY * len(c) for c in codes)
    bits += sum(_BITS_OF_CLASS * len(a) + 16 for each in along for a in each if a is not None)
    tensors = tuple(
        Classes(tuple(a), (c - low).astype(np.uint8)) for a, c in zip(along, contexts, strict=True)
    )
    return Classified(tensors, codes, start - low, bits)


def table_codes(counts: npt.NDArray[np.int64]) -> bytes:
    """Of the counts by byte value. A table that no symbol has is as short as can be."""
    if not counts.any():
        return bytes([1])
    scale = min(8.0, 122_880 / float(counts.max()))
    ordered = [int(counts[symbol] * scale * 1.03) for symbol in SYMBOLS]
    ordered = [max(share, 8) if counts[s] else 0 for share, s in zip(ordered, SYMBOLS, strict=True)]
    last = max(k for k, share in enumerate(ordered) if share)
    return bytes(code_of(share) for share in ordered[: last + 1])


def _first_classes(symbols: Array, step: int) -> list[Array | None]:
    """By the spread along each axis of what the axes before leave; the first has the spread itself."""
    found: list[Array | None] = [None] * symbols.ndim
    if not step:
        return found
    power = symbols.astype(np.float32) ** 2 + np.float32(0.05)
    for axis, count in enumerate(symbols.shape):
        if axis and count == 1:
            continue
        others = tuple(a for a in range(symbols.ndim) if a != axis)
        spread = np.log2(power.mean(axis=others, dtype=np.float64)) / 2
        classes = np.clip(np.rint(spread * step) - (2 * step if axis == 0 else 0), -40, 40)
        if axis and prod(symbols.shape) < 16 * count:
            continue
        found[axis] = classes.astype(np.int8)
        power /= (2.0 ** (2 * spread)).astype(np.float32).reshape(-1, *[1] * (symbols.ndim - 1 - axis))
    return found


def _contexts(shape: tuple[int, ...], along: Sequence[Array | None], start: int) -> npt.NDArray[np.int16]:
    found = np.full(shape, start, np.int16)
    for axis, classes in enumerate(along):
        if classes is not None:
            found += classes.astype(np.int16).reshape(-1, *[1] * (len(shape) - 1 - axis))
    return np.clip(found, 0, _TABLES - 1)


def _counts(
    symbols: Sequence[Array], along: Sequence[Sequence[Array | None]], start: int
) -> npt.NDArray[np.int64]:
    """By table and byte value."""
    counts = np.zeros(_TABLES * 256, np.int64)
    for s, a in zip(symbols, along, strict=True):
        places = _contexts(s.shape, a, start).astype(np.int64) << 8 | s.view(np.uint8)
        counts += np.bincount(places.reshape(-1), minlength=len(counts))
    return counts.reshape(_TABLES, 256)


def _lengths(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """Bits of each symbol in each table. A table that has seen little knows what its neighbours have seen."""
    known = counts.astype(np.float64)
    near = known.copy()
    near[1:] += known[:-1] / 4
    near[:-1] += known[1:] / 4
    near += _RARE
    return np.asarray(-np.log2(near / near.sum(axis=1, keepdims=True)), np.float32)


def _lengths_of(codes: Sequence[bytes]) -> npt.NDArray[np.float64]:
    """As the decoder will have them; 0 for a symbol that a table does not have."""
    tables = np.array([frequencies(code) for code in codes], np.float64)
    return np.where(tables > 0, BITS - np.log2(np.maximum(tables, 1)), 0.0)


def _moved(
    symbols: Array, along: list[Array | None], start: int, lengths: npt.NDArray[np.float32]
) -> list[Array | None]:
    """Along each axis the class of each place that makes its symbols shortest; none where the classes cost more than they save."""
    moved = list(along)
    flat, data = lengths.reshape(-1), symbols.view(np.uint8).astype(np.int64)
    for axis in range(symbols.ndim):
        classes = moved[axis]
        if classes is None:
            continue
        others = tuple(a for a in range(symbols.ndim) if a != axis)
        bare = _contexts(symbols.shape, moved, start).astype(np.int64)
        costs = np.stack(
            [
                flat[np.clip(bare + move, 0, _TABLES - 1) << 8 | data].sum(axis=others, dtype=np.float64)
                for move in _MOVES
            ]
        )
        best = np.argmin(costs + 0.5 * np.abs(np.array(_MOVES))[:, None], axis=0)
        moved[axis] = (classes + np.array(_MOVES, np.int8)[best]).astype(np.int8)
        if axis == 0:
            continue
        without = [*moved[:axis], None, *moved[axis + 1 :]]
        bare = _contexts(symbols.shape, without, start).astype(np.int64)
        saved = float(flat[bare << 8 | data].sum(dtype=np.float64) - costs.min(axis=0).sum())
        if saved < _BITS_OF_CLASS * len(classes) + 16:
            moved[axis] = None
    return moved
