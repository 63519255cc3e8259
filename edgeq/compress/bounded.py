"""Keeps what is packed within what a device accepts to expand: where a file has too many pieces, the small ones are sent as plain
bytes.
"""

from collections.abc import Iterator, Sequence
from math import prod

from edgeq.compress.expand.plan import LARGEST_PLAN, MOST_SEGMENTS
from edgeq.compress.expand.tables import MOST_TABLES
from edgeq.compress.pieces import CopyPiece, Piece, PlainPiece, Symbols, TensorPiece

_OF_A_PIECE = 96  # bytes of the plan at most, without what is along axes
_OF_A_TABLE = 258


def bounded(pieces: Sequence[Piece], content: bytes) -> Sequence[Piece]:
    """`pieces`, which are `content` in its order; where they are too many, without those below the least size that leaves few enough."""
    least = 1
    while len(pieces) > MOST_SEGMENTS or _plan_bytes(pieces) > LARGEST_PLAN:
        least *= 2
        pieces = list(_without_small(pieces, content, least))
    return pieces


def _without_small(pieces: Sequence[Piece], content: bytes, least: int) -> Iterator[Piece]:
    at = since = 0
    for piece in pieces:
        size = _size(piece)
        if not isinstance(piece, PlainPiece) and size >= least:
            if at > since:
                yield PlainPiece(content[since:at])
            yield piece
            since = at + size
        at += size
    if at > since:
        yield PlainPiece(content[since:at])


def _size(piece: Piece) -> int:
    if isinstance(piece, PlainPiece):
        return len(piece.content)
    return piece.size if isinstance(piece, CopyPiece) else piece.width * prod(piece.shape)


def _plan_bytes(pieces: Sequence[Piece]) -> int:
    """At most: a table for each kind of symbols that may be there, and a class and the levels for each place of an axis."""
    tensors = [piece for piece in pieces if isinstance(piece, TensorPiece)]
    coded = [(t, p) for t in tensors for p in t.planes if isinstance(p, Symbols)]
    along = sum(sum(t.shape) + (p.levels.size if p.levels else 0) for t, p in coded)
    return along + _OF_A_PIECE * len(pieces) + (_OF_A_TABLE * MOST_TABLES if coded else 0)
