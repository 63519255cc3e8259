"""Rows of weights on levels of a kind that is not uniform: powers of two, a codebook, two or three values.

Weights are rounded to the levels by the error of the outputs (gptq_rounding.py), and what the levels stand for is then made that
of least such error, in turns, as in Lloyd's algorithm ("Least squares quantization in PCM", 1982) with the moments G of the inputs in
place of the plain distance. Of a row v, and A [k, n] the level of each of its weights,

    (v - A l)' G (v - A l)   is least at   l = (A' G A)^-1 A' G v,   for a scale of given levels q = A l at   s = q' G v / q' G q

The first levels are those of least squared error of the weights (edgeq/quantize/numerics/level_kinds.py); the best round is kept.
"""

from collections.abc import Callable, Sequence

import numpy as np

from edgeq.nouns.weight_levels import CODEBOOK
from edgeq.quantize.numerics.level_kinds import other_levels
from edgeq.quantize.numerics.levels import Levels
from edgeq.quantize.passes.fit.gptq_rounding import Floats, gptq_to_levels, nearest_of, output_error
from edgeq.quantize.passes.fit.short_code import short_scale

_SHARES = (1.0, 0.85, 1.15)  # of the scale that is best for the weights alone
_ROUNDS = 3
_DAMPING = 1e-4  # of the mean weight of a level: a level that no weight has stays where it is
_AT_ONCE = 2**22  # numbers
_SMALLEST = 1e-12


def on_levels_of(kind: str, most: int) -> Callable[[Floats, Floats, float], tuple[Floats, Floats]]:
    """(target [groups, rows, k], gram [groups, k, k], bits) -> integers of `target`'s shape, up to `most`, and scales [groups, rows]."""
    if kind == CODEBOOK:
        return lambda target, gram, bits: _codebooks(target, gram, int(bits), most)
    return lambda target, gram, bits: _scaled(target, gram, kind, int(bits))


def _scaled(target: Floats, gram: Floats, kind: str, bits: int) -> tuple[Floats, Floats]:
    start = other_levels(target.reshape(-1, target.shape[-1]), kind, bits, 0)
    levels = start.integers.astype(np.float64)
    first: Floats = np.maximum(start.scale.astype(np.float64), _SMALLEST).reshape(target.shape[:-1])
    best, scales = np.zeros_like(target), first.copy()
    least = np.full(first.shape, np.inf)
    for share in _SHARES:
        scale = first * share
        for _ in range(_ROUNDS):
            found = gptq_to_levels(target, gram, scale, levels)
            scale = short_scale(_scale_of(target, found, gram, scale))
            error = output_error(target, found, gram, scale)
            better = error < least
            best[better], scales[better], least[better] = found[better], scale[better], error[better]
    return best, scales


def _scale_of(target: Floats, found: Floats, gram: Floats, before: Floats) -> Floats:
    """As before where it would not be positive: all weights have the level zero, or look the other way."""
    products = found @ gram
    match = np.einsum("grk,grk->gr", products, target)
    power = np.einsum("grk,grk->gr", products, found)
    fits = (match > 0) & (power > 0)
    return np.maximum(np.where(fits, match / np.where(fits, power, 1.0), before), _SMALLEST)


def _codebooks(target: Floats, gram: Floats, bits: int, most: int) -> tuple[Floats, Floats]:
    """A codebook for each row. In turns as floats, then on int8 with a scale, to which the weights are rounded once more."""
    start = other_levels(target.reshape(-1, target.shape[-1]), CODEBOOK, bits, 0).of
    book: Floats = (start.levels * start.scale[:, None]).astype(np.float64).reshape(*target.shape[:-1], -1)
    ones = np.ones(target.shape[:-1])
    books, least = book.copy(), np.full(ones.shape, np.inf)
    for _ in range(_ROUNDS + 1):
        found = gptq_to_levels(target, gram, ones, book)
        error = output_error(target, found, gram, ones)
        better = error < least
        books[better], least[better] = book[better], error[better]
        book = _book_of(target, found, gram, book)
    return _better_of(
        [
            _on_int8(target, gram, start.levels * start.scale[:, None], most, rounded=_nearest),
            _on_int8(target, gram, books.reshape(-1, books.shape[-1]), most, rounded=gptq_to_levels),
        ],
        target,
        gram,
    )


def _on_int8(
    target: Floats, gram: Floats, books: Floats, most: int, rounded: Callable[..., Floats]
) -> tuple[Floats, Floats]:
    """Of books [groups times rows, n] as floats."""
    end = np.maximum(np.abs(books).max(axis=1), _SMALLEST)
    on_int8 = Levels(books / end[:, None], end, 0).expanded_to_int8(most)
    scale = short_scale(np.maximum(on_int8.scale, _SMALLEST)).reshape(target.shape[:-1])
    levels = on_int8.integers.astype(np.float64).reshape(*target.shape[:-1], -1)
    return rounded(target, gram, scale, levels), scale


def _nearest(target: Floats, gram: Floats, scale: Floats, levels: Floats) -> Floats:
    """Where inputs vary alike and no error can make up for another, nothing is better."""
    return np.swapaxes(nearest_of(levels)(np.swapaxes(target / scale[..., None], -1, -2)), -1, -2)


def _better_of(found: Sequence[tuple[Floats, Floats]], target: Floats, gram: Floats) -> tuple[Floats, Floats]:
    """Of each row."""
    best = np.argmin([output_error(target, q, gram, s) for q, s in found], axis=0)
    integers, scales = (np.stack(each) for each in zip(*found, strict=True))
    return (
        np.take_along_axis(integers, best[None, ..., None], 0)[0],
        np.take_along_axis(scales, best[None], 0)[0],
    )


def _book_of(target: Floats, found: Floats, gram: Floats, book: Floats) -> Floats:
    """The levels of least error for the choices that were made, in ascending order."""
    moved = np.empty_like(book)
    n, k = book.shape[-1], target.shape[-1]
    size = max(_AT_ONCE // (k * n), 1)
    for g, products in enumerate(gram):
        for start in range(0, target.shape[1], size):
            rows = slice(start, start + size)
            moved[g, rows] = _solved(target[g, rows], found[g, rows], products, book[g, rows])
    return np.sort(moved, axis=-1)


def _solved(target: Floats, found: Floats, gram: Floats, book: Floats) -> Floats:
    """Of the rows [r, k] of one group, whose levels are `book` [r, n]."""
    chosen = (found[..., None] == book[:, None, :]).astype(np.float64)  # [r, k, n]
    chosen /= np.maximum(chosen.sum(axis=-1, keepdims=True), 1.0)  # levels that are alike share their weights
    products = np.einsum("kj,rjn->rkn", gram, chosen, optimize=True)
    normal = np.einsum("rkn,rkm->rnm", chosen, products, optimize=True)
    wanted = np.einsum("rkn,rk->rn", products, target)
    unit = _DAMPING * np.maximum(np.einsum("rnn->r", normal) / book.shape[-1], _SMALLEST)
    normal += unit[:, None, None] * np.eye(book.shape[-1])
    solved = np.linalg.solve(normal, (wanted + unit[:, None] * book)[..., None])[..., 0]
    return np.asarray(solved, np.float64)
