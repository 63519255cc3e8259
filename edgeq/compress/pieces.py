"""How each part of a model file is sent: int8 weights as symbols, floats as exponents and the rest, few distinct floats as a palette,
and what lzma does better as it is.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import numpy.typing as npt

from edgeq.compress.expand.plan import AS_IS, LONGEST_ROW, PALETTE, ROTATED
from edgeq.compress.levels import AlongAxis, AnyLevels, with_levels
from edgeq.compress.stored_tensor import StoredTensor

_FEWEST_SYMBOLS = 256
_FEWEST_FLOATS = 1024
_FEWEST_IN_PLANES = 16
_AS_GOOD_AS_RANDOM = 7.9  # bits of entropy of a byte
_LARGEST_TAP = 11  # a longer axis is no kernel's


@dataclass(frozen=True)
class Symbols:
    """A plane that the entropy coder gets. `like`: planes of one kind share their tables."""

    values: npt.NDArray[np.int8]
    levels: AnyLevels | None
    like: str


@dataclass(frozen=True)
class Stored:
    """Bytes that nothing makes smaller."""

    content: bytes


Plane = bytes | Stored | Symbols


@dataclass(frozen=True)
class PlainPiece:
    content: bytes


@dataclass(frozen=True)
class TensorPiece:
    """As edgeq/compress/expand/plan.py's Tensor; `palette` are the values themselves."""

    width: int
    shape: tuple[int, ...]
    form: int
    planes: tuple[Plane, ...]
    base: int = 0
    palette: bytes = b""
    middle: int = 0


@dataclass(frozen=True)
class CopyPiece:
    """Of the old file; with `axes` a tensor of `shape` there whose axes stand in this order here."""

    base: int
    size: int
    width: int = 1
    shape: tuple[int, ...] = ()
    axes: tuple[int, ...] = ()


Piece = PlainPiece | TensorPiece | CopyPiece


def piece_of(tensor: StoredTensor, content: bytes) -> Piece:
    """Of the bytes of `tensor`."""
    shape, width = coded_shape(tensor.shape), np.dtype(tensor.dtype).itemsize
    count = prod(tensor.shape)
    if shape is None or count < _FEWEST_IN_PLANES:
        return PlainPiece(content)
    if width == 1 and count >= _FEWEST_SYMBOLS:
        return _integers(content, shape, tensor.dtype)
    if tensor.dtype == "<f4" and count >= _FEWEST_FLOATS:
        return _floats(content, shape)
    return _in_planes(content, shape, width)


def coded_shape(shape: Sequence[int]) -> tuple[int, ...] | None:
    """At most three axes: outputs, inputs and the places of a kernel, in the file's order. None where a row would be too long."""
    if len(shape) == 1:
        found: tuple[int, ...] = (1, shape[0])
    elif len(shape) == 4 and max(shape[2:]) <= _LARGEST_TAP:
        found = (shape[0], shape[1], shape[2] * shape[3])
    elif len(shape) == 4:
        found = (shape[0], shape[1] * shape[2], shape[3])
    elif len(shape) > 3:
        found = (shape[0], prod(shape[1:-1]), shape[-1])
    else:
        found = tuple(shape)
    if prod(found[1:]) > LONGEST_ROW:
        found = (prod(found[:-1]), found[-1])
    return found if min(found, default=0) > 0 and prod(found[1:]) <= LONGEST_ROW else None


def packed_size(content: bytes) -> int:
    """Of what lzma makes of it, about: to compare two ways of writing the same. zlib is quick to start."""
    return len(zlib.compress(content, 6))


def entropy(values: npt.NDArray[np.uint8]) -> float:
    """Bits of one of these bytes, by how often each value is there."""
    counts = np.bincount(values.reshape(-1), minlength=256)
    shares = counts[counts > 0] / values.size
    return float(-(shares * np.log2(shares)).sum())


def _integers(content: bytes, shape: tuple[int, ...], dtype: str) -> Piece:
    values = np.frombuffer(content, np.int8).reshape(shape)
    levels: AnyLevels | None
    if dtype == "u1":  # around its zero point, which is not known here: around the middle of what is there
        middle = np.uint8(int(np.median(np.frombuffer(content, np.uint8))))
        count = shape[0]
        levels = AlongAxis(0, np.full(count, middle, np.uint8), np.ones(count, np.uint8))
        symbols = (values.view(np.uint8) - middle).view(np.int8)
    else:
        levels, symbols = with_levels(values)
    if packed_size(content[: 1 << 16]) < 0.9 * entropy(symbols.view(np.uint8)) / 8 * min(
        len(content), 1 << 16
    ):
        return PlainPiece(content)  # repeats itself
    return TensorPiece(1, shape, AS_IS, (Symbols(symbols, levels, "integers"),))


def _floats(content: bytes, shape: tuple[int, ...]) -> Piece:
    values = np.frombuffer(content, "<u4").reshape(shape)
    distinct = np.unique(values)
    if len(distinct) <= 256:
        return _palette(values, distinct, shape)
    rotated = (values << np.uint32(1) | values >> np.uint32(31)).astype("<u4")
    planes = np.ascontiguousarray(rotated).view(np.uint8).reshape(-1, 4)
    low = tuple(_low_plane(np.ascontiguousarray(planes[:, k])) for k in range(3))
    exponents = np.ascontiguousarray(planes[:, 3]).reshape(shape)
    middles = np.median(exponents.reshape(shape[0], -1), axis=1).astype(np.uint8)
    symbols = (exponents - middles.reshape(-1, *[1] * (len(shape) - 1))).view(np.int8)
    levels = AlongAxis(0, middles, np.ones(len(middles), np.uint8))
    return TensorPiece(4, shape, ROTATED, (*low, Symbols(symbols, levels, "exponents")))


def _palette(
    values: npt.NDArray[np.uint32], distinct: npt.NDArray[np.uint32], shape: tuple[int, ...]
) -> Piece:
    """Weight sharing: the distinct values in their order, and of each element which one it is, as seen from the one nearest to zero."""
    as_floats = distinct.view("<f4")
    order = np.argsort(as_floats, kind="stable")
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    middle = int(np.abs(np.nan_to_num(as_floats[order].astype(np.float64))).argmin())
    number = rank[np.searchsorted(distinct, values)] - middle
    symbols = (number & 0xFF).astype(np.uint8).view(np.int8).reshape(shape)
    palette = distinct[order].astype("<u4").tobytes()
    return TensorPiece(
        4, shape, PALETTE, (Symbols(symbols, None, "integers"),), palette=palette, middle=middle
    )


def _low_plane(plane: npt.NDArray[np.uint8]) -> Plane:
    return Stored(plane.tobytes()) if entropy(plane) > _AS_GOOD_AS_RANDOM else plane.tobytes()


def _in_planes(content: bytes, shape: tuple[int, ...], width: int) -> Piece:
    """The bytes of all elements place by place, where lzma makes less of them so."""
    planes = np.frombuffer(content, np.uint8).reshape(-1, width)
    split = tuple(np.ascontiguousarray(planes[:, k]).tobytes() for k in range(width))
    if packed_size(b"".join(split)) >= packed_size(content):
        return PlainPiece(content)
    return TensorPiece(width, shape, AS_IS, split)
