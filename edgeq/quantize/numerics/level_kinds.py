"""The levels of a kind (edgeq/nouns/weight_levels.py) that lose least of a tensor, as int8, so that every runtime computes with them."""

import numpy as np
import numpy.typing as npt

from edgeq.nouns.weight_levels import APOT, BINARY, TERNARY
from edgeq.quantize.numerics import codebook, few_integers, power_of_two, two_or_three
from edgeq.quantize.numerics.levels import Levels, OnInt8

Floats = npt.NDArray[np.float32]


def uniform_levels(weights: Floats, bits: int, axis: int | None) -> Levels:
    """-2^(bits-1) to 2^(bits-1) - 1, as LSQ has them, with the scales of least squared error."""
    return few_integers.fitted(weights, bits, axis, narrow_range=False)


def other_levels(weights: npt.ArrayLike, kind: str, bits: int, axis: int | None, most: int = 127) -> OnInt8:
    """Of a kind that is not uniform, as int8 up to `most`, with the scales of least squared error."""
    return _fitted(weights, kind, bits, axis).expanded_to_int8(most)


def _fitted(weights: npt.ArrayLike, kind: str, bits: int, axis: int | None) -> Levels:
    if kind == BINARY:
        return two_or_three.fitted_binary(weights, axis)
    if kind == TERNARY:
        return two_or_three.fitted_ternary(weights, axis)
    if kind == APOT:
        return power_of_two.fitted(weights, bits, axis)
    return codebook.fitted(weights, bits, axis)
