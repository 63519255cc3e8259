"""Whether sending a file compressed is quicker. Decides from figures alone; packs nothing and sends nothing."""

import zlib
from dataclasses import dataclass
from math import prod

from edgeq.compress.layout import Gap, layout
from edgeq.compress.stored_tensor import StoredTensor

SMALLEST_BYTES = 32 << 10
_PIECE, _PIECES = 64 << 10, 4
_KNOWN_SHARE = 0.3  # of what a file takes alone, when an old one is there to take the difference to


@dataclass(frozen=True)
class Way:
    """How fast things go: bytes per second of the link, weights per second of packing here, and bytes per second of expanding there, which
    also takes `starts_s` to begin.
    """

    link: float
    packs: float
    expands: float
    starts_s: float

    def pack_s(self, content: bytes) -> float:
        """By the elements of its tensors, and a quarter of the other bytes."""
        parts = layout(content)
        elements = sum(prod(p.shape) for p in parts if isinstance(p, StoredTensor))
        rest = sum(p.size for p in parts if isinstance(p, Gap))
        return (elements + rest / 4) / self.packs

    def expand_s(self, size: int) -> float:
        return self.starts_s + size / self.expands


def saves_time(size: int, packed: int, way: Way, pack_s: float) -> bool:
    """Whether a file of `size` arrives earlier by its `packed` bytes, that take `pack_s` to make: 0 where they are at hand."""
    return (size - packed) / way.link > pack_s + way.expand_s(size)


def gained_s(content: bytes, way: Way, *, has_old: bool) -> float:
    """The seconds by which `content` would arrive earlier if it were packed already, by a rough size: what packing may take."""
    rough = rough_size(content)
    packed = int(rough * _KNOWN_SHARE) if has_old else rough
    return (len(content) - packed) / way.link - way.expand_s(len(content))


def rough_size(content: bytes) -> int:
    """What zlib makes of some of it, in milliseconds; packing makes less."""
    step = max(len(content) // _PIECES, 1)
    pieces = [content[at : at + _PIECE] for at in range(0, len(content), step)] or [b""]
    taken = sum(map(len, pieces))
    return int(len(content) * sum(len(zlib.compress(p, 1)) for p in pieces) / max(taken, 1))
