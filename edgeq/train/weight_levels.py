"""The levels that weights of few bits have, by kind: uniform integers, additive powers of two, a codebook, two or three values.

The kinds are those of edgeq/quantize/numerics. All are stored as int8, so every runtime computes with them.
"""

import numpy as np
import numpy.typing as npt

from edgeq.errors import TargetRefused
from edgeq.quantize.numerics import codebook, few_integers, power_of_two, two_or_three
from edgeq.quantize.numerics.levels import Levels, OnInt8

Floats = npt.NDArray[np.float32]

UNIFORM, BINARY, TERNARY = "uniform", "binary", "ternary"
KINDS = (UNIFORM, "apot", "codebook", TERNARY, BINARY)
_BITS = {BINARY: 1, TERNARY: 2}
_FEWEST = {UNIFORM: 2, "apot": 2, "codebook": 1}
_MOST = {UNIFORM: 8, "apot": 4, "codebook": 4}


def bits_of(kind: str, asked: int | None) -> int:
    """Of the weights; binary and ternary have bits of their own. Raises TargetRefused for a number that the kind does not have."""
    if kind in _BITS:
        if asked not in (None, _BITS[kind]):
            raise TargetRefused(
                f"{kind} weights have {_BITS[kind]} bits, not {asked}", "leave out --weight-bits"
            )
        return _BITS[kind]
    bits = 8 if asked is None and kind == UNIFORM else _MOST[kind] if asked is None else asked
    if not _FEWEST[kind] <= bits <= _MOST[kind]:
        raise TargetRefused(
            f"{kind} weights have {_FEWEST[kind]} to {_MOST[kind]} bits, not {bits}",
            "take another --weight-bits, or other --levels",
        )
    return bits


def uniform_levels(weights: Floats, bits: int, axis: int | None) -> Levels:
    """-2^(bits-1) to 2^(bits-1) - 1, as LSQ has them, with the scales of least squared error."""
    return few_integers.fitted(weights, bits, axis, narrow_range=False)


def other_levels(weights: Floats, kind: str, bits: int, axis: int | None) -> OnInt8:
    """Of a kind that is not uniform, as int8, with the scales of least squared error."""
    if kind == BINARY:
        return two_or_three.fitted_binary(weights, axis).expanded_to_int8()
    if kind == TERNARY:
        return two_or_three.fitted_ternary(weights, axis).expanded_to_int8()
    if kind == "apot":
        return power_of_two.fitted(weights, bits, axis).expanded_to_int8()
    return codebook.fitted(weights, bits, axis).expanded_to_int8()
