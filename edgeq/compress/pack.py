"""Packs a model file, or any other, for sending; edgeq/compress/expand expands it, bit for bit."""

from edgeq.compress.bounded import bounded
from edgeq.compress.difference import Old, with_old
from edgeq.compress.layout import Gap, layout
from edgeq.compress.pieces import CopyPiece, Piece, PlainPiece, piece_of
from edgeq.compress.stored_tensor import StoredTensor
from edgeq.compress.write import written

_SMALL_BYTES = 1 << 20


def pack(content: bytes, base: bytes | None = None) -> bytes:
    """Smaller as a rule; about as large where nothing makes it smaller. `base`: a file that the device has, which is needed to
    expand it then.
    """
    parts = layout(content)
    pieces = [_piece(part, content[part.start : part.start + part.size]) for part in parts]
    if base is not None:
        pieces = with_old(parts, content, pieces, Old(base))
    packed = written(bounded(merged(pieces), content), len(content))
    if (
        len(content) <= _SMALL_BYTES
    ):  # where lzma finds more that repeats than there is to know of so few weights
        return min(packed, written(merged([PlainPiece(content)]), len(content)), key=len)
    return packed


def _piece(part: Gap | StoredTensor, own: bytes) -> Piece:
    return PlainPiece(own) if isinstance(part, Gap) else piece_of(part, own)


def merged(pieces: list[Piece]) -> list[Piece]:
    """Plain pieces that follow each other as one, and copies of what follows each other in the old file."""
    found: list[Piece] = []
    for piece in pieces:
        last = found[-1] if found else None
        if isinstance(piece, PlainPiece) and isinstance(last, PlainPiece):
            found[-1] = PlainPiece(last.content + piece.content)
        elif isinstance(piece, CopyPiece) and isinstance(last, CopyPiece) and _follows(last, piece):
            found[-1] = CopyPiece(last.base, last.size + piece.size)
        else:
            found.append(piece)
    return found


def _follows(first: CopyPiece, second: CopyPiece) -> bool:
    return not first.axes and not second.axes and first.base + first.size == second.base
