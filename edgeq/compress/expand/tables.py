"""Frequencies of symbols, of which an entropy coder's table sums to 4096. In integers alone, the same on every machine."""

from collections.abc import Sequence

from .fields import Malformed

BITS = 12
SUM = 1 << BITS
MOST_TABLES = 96
# Bytes by how far they are from zero as signed numbers: 0, -1, 1, -2, ... Few levels use the first few of them.
SYMBOLS = tuple((-(k + 1) // 2 if k % 2 else k // 2) & 0xFF for k in range(256))
# A frequency is sent as a byte: three bits behind the first one that is set, so at most 6 % beside it.
_SHARES = (0, *(((8 + code % 8) << (code // 8)) for code in range(112)))


def frequencies(codes: Sequence[int]) -> "list[int]":
    """By byte value, of the codes in the order of SYMBOLS; they sum to SUM, and none is as large. Raises Malformed."""
    if max(codes, default=0) >= len(_SHARES) or not any(codes):
        raise Malformed("a table of no frequencies")
    shares = [_SHARES[code] for code in codes]
    total = sum(shares)
    found = [0] * 256
    for symbol, share in zip(SYMBOLS, shares):
        if share:
            found[symbol] = max(1, share * SUM // total)
    most = found.index(max(found))
    found[most] += SUM - sum(found)
    if found[most] >= SUM:  # one symbol alone: the table's entries have 12 bits for a frequency
        found[most] -= 1
        found[(most + 1) % 256] += 1
    if found[most] < 1:
        raise Malformed("a table of too many small frequencies")
    return found


def code_of(share: int) -> int:
    """The code of the largest share that is not above; the encoder's side of `frequencies`."""
    if share < 8:
        return share and 1
    octave = share.bit_length() - 4
    return min(1 + 8 * octave + (share >> octave) - 8, len(_SHARES) - 1)
