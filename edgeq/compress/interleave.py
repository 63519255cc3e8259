"""The encoder of edgeq/compress/expand/lanes.py: goes through the symbols from the last to the first."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from edgeq.compress.expand.lanes import LOWEST
from edgeq.compress.expand.tables import BITS

Vector = tuple[
    npt.NDArray[np.uint8], npt.NDArray[np.uint8]
]  # symbols and their contexts, of one call of `take`


def interleaved(
    vectors: Sequence[Vector], tables: Sequence[Sequence[int]], lanes: int, carried: bytes
) -> tuple[bytes, bytes]:
    """The states that a decoder begins with, and the words. `carried`: at most two bytes a lane, which it is left with."""
    frequency = np.array(tables, np.int64).reshape(-1, 256)
    before = np.cumsum(frequency, axis=1) - frequency
    state = LOWEST + np.frombuffer(carried.ljust(2 * lanes, b"\0"), "<u2").astype(np.int64)
    words: list[npt.NDArray[np.uint16]] = []
    for symbols, contexts in reversed(vectors):
        each, start = frequency[contexts, symbols], before[contexts, symbols]
        if not each.all():
            raise AssertionError("a symbol that its table does not have")
        for at in reversed(range(0, len(symbols), lanes)):
            words.append(_step(state, each[at : at + lanes], start[at : at + lanes]))
    out = np.concatenate(words[::-1]) if words else np.zeros(0, np.uint16)
    return state.astype("<u4").tobytes(), out.astype("<u2").tobytes()


def _step(
    state: npt.NDArray[np.int64], frequency: npt.NDArray[np.int64], start: npt.NDArray[np.int64]
) -> npt.NDArray[np.uint16]:
    """One symbol a lane into the states; the words that went out."""
    part = state[: len(frequency)]
    full = np.flatnonzero(part >= frequency << (32 - BITS))
    words = (part[full] & 0xFFFF).astype(np.uint16)
    part[full] >>= 16
    quotient, remainder = np.divmod(part, frequency)
    part[:] = (quotient << BITS) + remainder + start
    return words
