"""What an old file has of a new one: the same tensors, also with their axes in another order, tensors that changed little, and runs of
the same bytes between them.
"""

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterator
from math import prod

import numpy as np
import numpy.typing as npt

from edgeq.compress.expand.plan import DIFFERENCE, FEWEST_CODED
from edgeq.compress.layout import Gap, layout
from edgeq.compress.pieces import (
    CopyPiece,
    Piece,
    PlainPiece,
    Plane,
    Stored,
    Symbols,
    TensorPiece,
    coded_shape,
    entropy,
)
from edgeq.compress.stored_tensor import StoredTensor

_RUN = 24  # bytes; a shorter one is not worth saying where it is
_FEWEST_TURNED = 256
_SAVES_BITS = 0.25  # of a byte, from which a difference is sent
_AS_GOOD_AS_RANDOM = 7.9


class Old:
    """The old file. Tensors of one type and shape are taken to follow each other in both files alike."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        tensors = [part for part in layout(content) if isinstance(part, StoredTensor)]
        self._same = {content[t.start : t.start + t.size]: t.start for t in reversed(tensors)}
        self._alike: dict[tuple[str, tuple[int, ...]], list[int]] = defaultdict(list)
        for tensor in tensors:
            self._alike[tensor.dtype, tensor.shape].append(tensor.start)
        self._seen: Counter[tuple[str, tuple[int, ...]]] = Counter()
        self._turned = {
            _as_a_set(content[t.start : t.start + t.size], t.dtype): t
            for t in tensors
            if prod(t.shape) >= _FEWEST_TURNED
        }
        step = _RUN // 2
        ends = range(0, len(content) - step + 1, step)
        self._blocks = {content[at : at + step]: at for at in reversed(ends)}

    def tensor(self, tensor: StoredTensor, content: bytes, own: Piece) -> Piece:
        """`own`, which needs no old file, or what is shorter. Called once for each tensor, in the file's order."""
        kind = (tensor.dtype, tensor.shape)
        place = self._seen[kind]
        self._seen[kind] += 1
        if content in self._same:
            return CopyPiece(self._same[content], len(content))
        return (
            self._with_axes_moved(tensor, content)
            or self._changed(self._alike[kind][place : place + 1], tensor, content, own)
            or own
        )

    def _with_axes_moved(self, tensor: StoredTensor, content: bytes) -> Piece | None:
        if prod(tensor.shape) < _FEWEST_TURNED or not 1 < len(tensor.shape) <= 5:
            return None
        old = self._turned.get(_as_a_set(content, tensor.dtype))
        if old is None or len(old.shape) != len(tensor.shape):
            return None
        width = np.dtype(old.dtype).itemsize
        there = np.frombuffer(self._content, f"<u{width}", prod(old.shape), old.start).reshape(old.shape)
        for axes in itertools.permutations(range(len(old.shape))):
            if np.ascontiguousarray(there.transpose(axes)).tobytes() == content:
                return CopyPiece(old.start, len(content), width, old.shape, axes)
        return None

    def _changed(self, starts: list[int], tensor: StoredTensor, content: bytes, own: Piece) -> Piece | None:
        shape, width = coded_shape(tensor.shape), np.dtype(tensor.dtype).itemsize
        if not starts or shape is None or width == 2 or len(content) < FEWEST_CODED * width:
            return None
        new = np.frombuffer(content, f"<u{width}")
        old = np.frombuffer(self._content, f"<u{width}", len(new), starts[0])
        if width == 1:
            change = (new - old).view(np.int8).reshape(shape)
            planes: tuple[Plane, ...] = (Symbols(change, None, "differences"),)
        else:
            signed = (new - old).view(np.int32)
            folded = (signed << 1 ^ signed >> 31).view(np.uint8).reshape(-1, width)
            planes = tuple(_plane(np.ascontiguousarray(folded[:, k])) for k in range(width))
        saved = _entropy_of(own, len(content)) - sum(map(_entropy_of_plane, planes)) / width
        return TensorPiece(width, shape, DIFFERENCE, planes, base=starts[0]) if saved > _SAVES_BITS else None

    def gap(self, content: bytes) -> Iterator[Piece]:
        """Bytes that are no tensor's, those that the old file has as copies."""
        step, at, since = _RUN // 2, 0, 0
        while at + step <= len(content):
            there = self._blocks.get(content[at : at + step])
            if there is None:
                at += 1
                continue
            start, base = _backwards(content, at, since, self._content, there)
            end = _forwards(content, at + step, self._content, there + step)
            if end - start < _RUN:
                at += 1
                continue
            if start > since:
                yield PlainPiece(content[since:start])
            yield CopyPiece(base, end - start)
            at = since = end
        if since < len(content):
            yield PlainPiece(content[since:])


def with_old(parts: "list[Gap | StoredTensor]", content: bytes, own: list[Piece], old: Old) -> list[Piece]:
    """Of each part what is shorter: the piece that needs no old file, or those that do."""
    found: list[Piece] = []
    for part, piece in zip(parts, own, strict=True):
        data = content[part.start : part.start + part.size]
        found += [old.tensor(part, data, piece)] if isinstance(part, StoredTensor) else old.gap(data)
    return found


def _backwards(new: bytes, at: int, since: int, old: bytes, there: int) -> tuple[int, int]:
    while at > since and there > 0 and new[at - 1] == old[there - 1]:
        at, there = at - 1, there - 1
    return at, there


def _forwards(new: bytes, at: int, old: bytes, there: int) -> int:
    while at < len(new) and there < len(old) and new[at] == old[there]:
        at, there = at + 1, there + 1
    return at


def _as_a_set(content: bytes, dtype: str) -> bytes:
    width = np.dtype(dtype).itemsize
    return np.sort(np.frombuffer(content, f"<u{width}")).tobytes()


def _plane(plane: npt.NDArray[np.uint8]) -> Plane:
    return Stored(plane.tobytes()) if entropy(plane) > _AS_GOOD_AS_RANDOM else plane.tobytes()


def _entropy_of(piece: Piece, size: int) -> float:
    """Bits of one of its bytes, about."""
    if isinstance(piece, PlainPiece):
        return entropy(np.frombuffer(piece.content, np.uint8))
    if isinstance(piece, TensorPiece):
        return sum(map(_entropy_of_plane, piece.planes)) / piece.width
    return 0.0


def _entropy_of_plane(plane: Plane) -> float:
    if isinstance(plane, Symbols):
        return entropy(plane.values.view(np.uint8))
    return entropy(np.frombuffer(plane.content if isinstance(plane, Stored) else plane, np.uint8))
