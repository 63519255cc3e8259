"""What a compressed file consists of, in the order of the file that it expands to. Read and checked as a whole: sizes here are of
what comes out, and no array is made before they are known to fit.
"""

from dataclasses import dataclass
from math import prod
from typing import Optional, Union

from .fields import Fields, Malformed
from .tables import MOST_TABLES, frequencies

PLAIN, TENSOR, COPY, TURNED = range(4)
IN_PLAIN, CODED, STORED = range(3)
AS_IS, ROTATED, DIFFERENCE, PALETTE = range(4)
MOST_LANES = 8192
ENOUGH_LANES = 4096  # for any number of symbols; fewer have at most MOST_IN_A_LANE each
MOST_IN_A_LANE = 4096  # a step of all lanes takes as long with one as with hundreds
MOST_SEGMENTS = 8192  # each is an object in memory; ResNet-20 as a difference has 540, MobileNetV2 alone 210
LARGEST_PLAN = 8 << 20  # bytes; of real files a hundredth of the file
LONGEST_ROW = 1 << 20  # of symbols that are decoded at once
FEWEST_CODED = 64
MOST_IN_BOOK = 16  # levels of each place along an axis
_WIDTHS = (1, 2, 4)


@dataclass(frozen=True)
class Levels:
    """Along one axis of a tensor: a byte is `first` + `step` times the symbol."""

    axis: int
    first: bytes
    step: bytes


@dataclass(frozen=True)
class Books:
    """Along one axis of a tensor: a byte is that of `count` levels which the symbol says, counted from the middle one. `changes` [count,
    places]: of each level from the one before, modulo 256.
    """

    axis: int
    count: int
    changes: bytes


@dataclass(frozen=True)
class Coded:
    """A symbol's table is `start` and its classes along each axis, which are signed, but none below `low` or above `high`."""

    low: int
    high: int
    start: int
    classes: "tuple[Optional[bytes], ...]"
    levels: "Optional[Union[Levels, Books]]"


@dataclass(frozen=True)
class Plain:
    size: int


@dataclass(frozen=True)
class Tensor:
    """`planes`: of each byte of an element, lowest first, where it comes from. `base`: where in the old file the tensor lies
    that this one is the difference to. `palette`: how many values there are, which come first among the plain bytes; the one
    plane then says which, as a signed number from the value `middle` on.
    """

    width: int
    shape: "tuple[int, ...]"
    form: int
    base: int
    palette: int
    middle: int
    planes: "tuple[Union[int, Coded], ...]"

    @property
    def size(self) -> int:
        return self.width * prod(self.shape)

    @property
    def coded(self) -> "list[Coded]":
        return [plane for plane in self.planes if isinstance(plane, Coded)]


@dataclass(frozen=True)
class Copy:
    """Bytes of the old file; `axes`: a tensor of `shape` there, its axes in another order here."""

    base: int
    size: int
    width: int = 1
    shape: "tuple[int, ...]" = ()
    axes: "tuple[int, ...]" = ()


Segment = Union[Plain, Tensor, Copy]


@dataclass(frozen=True)
class Plan:
    size: int
    lanes: int
    tables: "tuple[tuple[int, ...], ...]"
    segments: "tuple[Segment, ...]"


def read_plan(fields: Fields, size: int, base_size: int) -> Plan:
    """Raises Malformed, also where the segments are not `size` bytes together or lie outside of the old file."""
    lanes = fields.number(0, MOST_LANES)
    tables = tuple(_table(fields) for _ in range(fields.number(min(1, lanes), MOST_TABLES)))
    segments: list[Segment] = []
    left, symbols = size, 0
    while left:
        segment = _segment(fields, left, base_size)
        if isinstance(segment, Tensor) and any(p.high >= len(tables) for p in segment.coded):
            raise Malformed("symbols of a table that there is not")
        if isinstance(segment, Tensor):
            symbols += len(segment.coded) * prod(segment.shape)
        if lanes < ENOUGH_LANES and symbols > lanes * MOST_IN_A_LANE:
            raise Malformed(f"{symbols:,} symbols are too many for {lanes:,} lanes")
        if len(segments) == MOST_SEGMENTS:
            raise Malformed(f"more than {MOST_SEGMENTS:,} segments")
        left -= segment.size
        segments.append(segment)
    fields.end()
    return Plan(size, lanes, tables, tuple(segments))


def _table(fields: Fields) -> "tuple[int, ...]":
    return tuple(frequencies(fields.vector(fields.number(1, 256))))


def _segment(fields: Fields, left: int, base_size: int) -> Segment:
    kind = fields.number(PLAIN, TURNED)
    if kind == PLAIN:
        return Plain(fields.number(1, left))
    if kind == TENSOR:
        return _tensor(fields, left, base_size)
    base = fields.number(0, base_size)
    most = min(left, base_size - base)
    if kind == COPY:
        return Copy(base, fields.number(1, most))
    width, shape = _width_and_shape(fields, most)
    axes = tuple(fields.vector(len(shape)))
    if sorted(axes) != list(range(len(shape))):
        raise Malformed("axes that are none")
    return Copy(base, width * prod(shape), width, shape, axes)


def _width_and_shape(fields: Fields, most: int) -> "tuple[int, tuple[int, ...]]":
    width = fields.number(1, 4)
    shape = tuple(fields.number(1, most) for _ in range(fields.number(1, 5)))
    if width not in _WIDTHS or width * prod(shape) > most:
        raise Malformed("a tensor that is larger than the file")
    return width, shape


def _tensor(fields: Fields, left: int, base_size: int) -> Tensor:
    width, shape = _width_and_shape(fields, left)
    form = fields.number(AS_IS, PALETTE)
    base = fields.number(0, base_size) if form == DIFFERENCE else 0
    if form == DIFFERENCE and width * prod(shape) > base_size - base:
        raise Malformed("a difference to what the old file does not have")
    if form == ROTATED and width != 4:
        raise Malformed("a rotated tensor that is no float32")
    palette = fields.number(1, 256) if form == PALETTE else 0
    middle = fields.number(0, palette - 1) if form == PALETTE else 0
    planes = tuple(_plane(fields, shape) for _ in range(1 if palette else width))
    return Tensor(width, shape, form, base, palette, middle, planes)


def _plane(fields: Fields, shape: "tuple[int, ...]") -> "Union[int, Coded]":
    kind = fields.number(IN_PLAIN, STORED)
    if kind != CODED:
        return kind
    if prod(shape) < FEWEST_CODED or prod(shape[1:]) > LONGEST_ROW:
        raise Malformed("symbols in a tensor of no such shape")
    low = fields.number(0, MOST_TABLES - 1)
    high = fields.number(low, MOST_TABLES - 1)
    start = fields.number(low, high)
    classes = tuple(fields.vector(count) if fields.number(0, 1) else None for count in shape)
    return Coded(low, high, start, classes, _levels(fields, shape))


def _levels(fields: Fields, shape: "tuple[int, ...]") -> "Optional[Union[Levels, Books]]":
    kind = fields.number(0, 2)
    if kind == 0:
        return None
    axis = fields.number(0, len(shape) - 1)
    if kind == 2:
        count = fields.number(1, MOST_IN_BOOK)
        return Books(axis, count, fields.vector(count * shape[axis]))
    return Levels(axis, fields.vector(shape[axis]), fields.vector(shape[axis]))
