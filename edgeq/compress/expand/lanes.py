"""An entropy decoder (range asymmetric numeral systems, Duda 2013) of as many symbols at once as there are lanes.

Lane k decodes the symbols k, k + N, k + 2N of each vector, each with the table of its context, so numpy takes a step of all
lanes with a dozen calls. States have 32 bits and take 16 at a time from the words that all lanes share (Giesen 2014).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .fields import Malformed
from .tables import BITS, SUM

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

LOWEST = 1 << 16  # of a state between two symbols


class Lanes:
    """`states` [N] of uint32 and `words` of uint16 are what the encoder left; `tables` are frequencies by byte value."""

    def __init__(
        self,
        states: "npt.NDArray[np.uint32]",
        words: "npt.NDArray[np.uint16]",
        tables: "Sequence[Sequence[int]]",
    ) -> None:
        import numpy as np

        self._states = states.copy()
        self._words = words
        self._at = 0
        self._entries = np.concatenate([_entries(np, table) for table in tables])

    def take(self, contexts: "npt.NDArray[np.uint8]") -> "npt.NDArray[np.uint8]":
        """The next symbols, one for each of `contexts` [n], which are numbers of tables. Raises Malformed."""
        import numpy as np

        count, lanes = len(contexts), len(self._states)
        found = np.empty(count, np.uint32)
        offsets = contexts.astype(np.intp)
        offsets <<= BITS
        for start in range(0, count, lanes):
            stop = min(start + lanes, count)
            self._step(offsets[start:stop], found[start:stop])
        return found.astype(np.uint8)

    def _step(self, offset: "npt.NDArray[np.intp]", entry: "npt.NDArray[np.uint32]") -> None:
        """Fills `entry` with that of one symbol a lane, the symbol in its lowest 8 bits; `offset` says where each table begins."""
        state = self._states[: len(offset)]
        offset += state & (SUM - 1)
        self._entries.take(offset, None, entry, "clip")
        state >>= BITS
        state *= (entry >> 8) & (SUM - 1)
        state += entry >> 20
        low = (state < LOWEST).nonzero()[0]
        words = self._words[self._at : self._at + len(low)]
        if len(words) != len(low):
            raise Malformed("it ends early")
        self._at += len(low)
        state[low] = state[low] << 16 | words

    def carried(self) -> bytes:
        """Two bytes a lane, in which the encoder began, after the last symbol. Raises Malformed where it was not the last."""

        if self._at != len(self._words) or (self._states >> 16 != 1).any():
            raise Malformed("its symbols do not end where they should")
        return (self._states & 0xFFFF).astype("<u2").tobytes()


def _entries(np: Any, frequencies: Sequence[int]) -> Any:
    """For each of SUM slots: symbol, frequency (12 bits) and place within the symbol (12 bits), lowest first."""
    frequency = np.array(
        frequencies, np.intp
    )  # of 32 bits on a 32-bit device, which numpy counts and indexes by
    symbols = np.repeat(np.arange(256, dtype=np.intp), frequency)
    place = np.arange(SUM, dtype=np.intp) - (np.cumsum(frequency) - frequency)[symbols]
    found = symbols.astype(np.uint32)
    found |= frequency[symbols].astype(np.uint32) << np.uint32(8)
    found |= place.astype(np.uint32) << np.uint32(20)
    return found
