"""The levels of a kind (edgeq/nouns/weight_levels.py) that lose least of a tensor, as int8, so that every runtime computes with them."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from edgeq.nouns.weight_levels import APOT, BINARY, CODEBOOK, TERNARY
from edgeq.quantize.numerics import codebook, few_integers, power_of_two, two_or_three
from edgeq.quantize.numerics.best_scale import rows
from edgeq.quantize.numerics.levels import Levels, OnInt8

Floats = npt.NDArray[np.float32]
MOST = 127


def uniform_levels(weights: Floats, bits: int, axis: int | None) -> Levels:
    """-2^(bits-1) to 2^(bits-1) - 1, as LSQ has them, with the scales of least squared error."""
    return few_integers.fitted(weights, bits, axis, narrow_range=False)


def other_levels(weights: npt.ArrayLike, kind: str, bits: int, axis: int | None, most: int = MOST) -> OnInt8:
    """Of a kind that is not uniform, as int8 up to `most`, with the scales of least squared error."""
    on_int8 = _fitted(weights, kind, bits, axis).expanded_to_int8(most)
    if kind == CODEBOOK:
        on_int8 = _finer(on_int8, most)
    dead = ~np.any(rows(weights, axis), axis=1)
    if axis is None or not dead.any() or dead.all():
        return on_int8
    # The scale of zeros says nothing, but a bias is held in steps of it.
    return replace(on_int8, scale=np.where(dead, on_int8.scale.max(), on_int8.scale))


def _fitted(weights: npt.ArrayLike, kind: str, bits: int, axis: int | None) -> Levels:
    if kind == BINARY:
        return two_or_three.fitted_binary(weights, axis)
    if kind == TERNARY:
        return two_or_three.fitted_ternary(weights, axis)
    if kind == APOT:
        return power_of_two.fitted(weights, bits, axis)
    return codebook.fitted(weights, bits, axis)


def _finer(on_int8: OnInt8, most: int) -> OnInt8:
    """The same values on steps a power of two finer, as far as `most` allows: levels that learn move in steps."""
    largest = np.maximum(np.abs(on_int8.integers.astype(np.int16)).max(axis=-1), 1)
    times = np.exp2(np.floor(np.log2(most / largest)))
    integers = np.asarray(on_int8.integers * np.asarray(times)[..., None], np.int8)
    return replace(on_int8, integers=integers, scale=np.asarray(on_int8.scale / times, np.float32))
