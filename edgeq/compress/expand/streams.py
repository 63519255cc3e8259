"""The streams behind the plan: symbols of the lanes, bytes packed by lzma, bytes as they are."""

import lzma
from dataclasses import dataclass
from typing import TYPE_CHECKING, Optional, Union

from .fields import Malformed
from .lanes import Lanes
from .plan import Plan

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

DICTIONARY_BYTES = 8 << 20
_GIVEN_BYTES = 64 << 10  # at once to lzma, which copies what it does not take yet
FILTERS = [{"id": lzma.FILTER_LZMA2, "dict_size": DICTIONARY_BYTES}]


class Plain:
    """Bytes packed by lzma, unpacked as they are asked for."""

    def __init__(self, packed: "Union[bytes, memoryview]", size: int) -> None:
        self._packed, self._left = memoryview(packed), size
        self._unpacker = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=FILTERS)

    def take(self, count: int) -> bytes:
        """Raises Malformed where there are fewer."""
        if count > self._left:
            raise Malformed("it ends early")
        self._left -= count
        found = b""
        while len(found) < count:
            given = self._packed[:_GIVEN_BYTES] if self._unpacker.needs_input else self._packed[:0]
            self._packed = self._packed[len(given) :]
            more = b"" if self._unpacker.eof else self._unpacker.decompress(given, count - len(found))
            if not more and not (self._packed and self._unpacker.needs_input):
                raise Malformed("it ends early")
            found += more
        return found

    def end(self) -> None:
        if self._left:
            raise Malformed("there is more than was announced")


@dataclass
class Streams:
    """`carried` bytes of the packed and stored ones are in the lanes, which have to come to their end first."""

    lanes: Optional[Lanes]
    rest: memoryview
    packed: int
    raw: int
    stored: int

    @classmethod
    def of(cls, content: memoryview, plan: Plan, packed: int, raw: int, stored: int) -> "Streams":
        """Raises Malformed where the streams do not fill `content`."""
        import numpy as np

        states = 4 * plan.lanes
        rest = packed + stored - min(2 * plan.lanes, packed + stored)
        words = len(content) - states - rest
        if words < 0 or words % 2 or (words and not plan.lanes):
            raise Malformed("its parts are not as long as announced")
        if not plan.lanes:
            return cls(None, content, packed, raw, stored)
        start = np.frombuffer(content[:states], "<u4").astype(np.uint32)
        found = np.frombuffer(content[states : states + words], "<u2").astype(np.uint16)
        return cls(Lanes(start, found, plan.tables), content[states + words :], packed, raw, stored)

    def after_symbols(self) -> "tuple[Plain, npt.NDArray[np.uint8]]":
        """What lzma packed, and the stored bytes. Raises Malformed where the symbols have not come to their end."""
        import numpy as np

        carried = self.lanes.carried() if self.lanes else b""
        whole = memoryview(b"".join((carried[: self.packed + self.stored], self.rest)))
        return Plain(whole[: self.packed], self.raw), np.frombuffer(whole, np.uint8)[self.packed :]


def unpacked(packed: bytes, size: int) -> bytes:
    plain = Plain(packed, size)
    found = plain.take(size)
    plain.end()
    return found
