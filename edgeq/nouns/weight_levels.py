"""What weights of few bits can be: the kinds of levels, by the words of `--levels`, and how many bits each may have.

Their numbers are those of edgeq/quantize/numerics; nothing here computes.
"""

from typing import Optional

from edgeq.errors import TargetRefused

UNIFORM, APOT, CODEBOOK, TERNARY, BINARY = "uniform", "apot", "codebook", "ternary", "binary"
KINDS = (UNIFORM, APOT, CODEBOOK, TERNARY, BINARY)
_BITS = {BINARY: 1, TERNARY: 2}
_FEWEST = {UNIFORM: 2, APOT: 2, CODEBOOK: 1}
_MOST = {UNIFORM: 8, APOT: 4, CODEBOOK: 4}


def levels_of(kind: Optional[str]) -> str:
    return kind or UNIFORM


def bits_of(kind: str, asked: Optional[float]) -> int:
    """Of the weights; binary and ternary have bits of their own. Raises TargetRefused for a number that the kind does not have."""
    if kind in _BITS:
        if asked not in (None, _BITS[kind]):
            raise TargetRefused(
                f"{kind} weights have {_BITS[kind]} bits, not {asked:g}", "leave out --weight-bits"
            )
        return _BITS[kind]
    bits = 8 if asked is None and kind == UNIFORM else _MOST[kind] if asked is None else asked
    if bits % 1 or not _FEWEST[kind] <= bits <= _MOST[kind]:
        raise TargetRefused(
            f"{kind} weights have {_FEWEST[kind]} to {_MOST[kind]} bits, not {bits:g}",
            "take another --weight-bits, or other --levels" if bits % 1 == 0 else "take a whole number",
        )
    return int(bits)


def mean_bits_of(kind: str, asked: Optional[float]) -> Optional[float]:
    """Bits of a conversion's weights: uniform ones may have a fraction, on average, and stay None where none are asked for. Raises
    TargetRefused as `bits_of`.
    """
    if kind == UNIFORM and (asked is None or asked >= _FEWEST[UNIFORM]):
        return asked
    return float(bits_of(kind, asked))
