"""Fits the weights and the bias of one layer to its float outputs, by least squares over calibration samples.

With x the layer's input in float and z its input once quantized, the error is E |W x + b - (Q z + c)|^2. The bias
corrects the means: c = b + W E[x] - Q E[z] (bias correction, Nagel et al., "Data-free quantization through weight
equalization and bias correction", 2019). For real Q the rest has its minimum at V = W E[x z'] E[z z']^-1, and for any Q
it is (V - Q) E[z z'] (V - Q)' above that minimum. So V is rounded to integers by GPTQ (gptq_rounding.py). Rounding V in
place of W, which compensates the errors of the layers before, is what GPTAQ adds to GPTQ (Li et al., 2025).

Long rows are fitted in blocks (row_blocks.py), which count as groups here: they have inputs of their own.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.limited.jobs import at_once
from edgeq.quantize.passes.fit.gptq_rounding import Floats, gptq_rounded, gptq_to_levels, output_error
from edgeq.quantize.passes.fit.linear import Linear
from edgeq.quantize.passes.fit.row_blocks import RowBlocks, whole_rows

Array = npt.NDArray[Any]
Pairs = Sequence[tuple[Array, Array]]  # inputs of a layer, (float, quantized), one pair per sample

# Shares of the inputs' mean power. A ridge pulls V towards W in directions that the inputs hardly cover; its strength is the
# one with the least error on inputs that V was not fitted to. Rounding is damped in such directions too.
_RIDGES = (1.0, 0.1, 0.01, 0.001)
_ROWS = 64  # of a group, by which its ridge is chosen
_DAMPING = 1e-3

_SHRINKS = np.linspace(1.0, 0.4, 13)  # of a row's range, below 8 bits

_AT_ONCE = 4096  # columns
_LARGEST = 2**23  # bytes of columns
_PER_WEIGHT = 8  # columns for each weight of a row
_FEWEST, _MOST = 2048, 32768  # columns; with fewer the means, which biases are corrected by, get worse
_SOLVED_AT_ONCE = 2**20  # numbers: of the weights or of the moments


@dataclass(frozen=True)
class Moments:
    """Second moments of columns x (float) and z (quantized), per group, about their means, in single precision: `gram` = E[z z'],
    `cross` = E[x z'], both [groups, k, k], and the means [groups, k]; from `count` columns. Groups are those of the layer
    times the blocks of its rows.
    """

    gram: Floats
    cross: Floats
    mean_float: Floats
    mean_quantized: Floats
    count: int

    @property
    def uncentered(self) -> "Moments":
        """The same for a layer without a bias that could correct the means."""
        gram = self.gram + _outer(self.mean_quantized, self.mean_quantized)
        cross = self.cross + _outer(self.mean_float, self.mean_quantized)
        return replace(self, gram=gram, cross=cross)

    def of(self, groups: slice | npt.NDArray[np.bool_]) -> "Moments":
        means = self.mean_float[groups], self.mean_quantized[groups]
        return Moments(self.gram[groups], self.cross[groups], *means, self.count)


FitAndCheck = tuple[Moments, Moments]  # of the samples to fit to, and of held-out ones


@dataclass(frozen=True)
class Solution:
    """`integers` [groups, rows, k] with `scale` [groups, rows] and zero point 0; `bias` [groups, rows]."""

    integers: Floats
    scale: Floats
    bias: Floats | None


def solve(
    weight: Array,
    bias: Floats | None,
    moments: FitAndCheck,
    scale: Floats,
    q_min: int,
    q_max: int,
    blocks: RowBlocks | None = None,
    levels: Floats | None = None,
) -> Solution:
    """`weight` [groups, rows, k], `scale` [groups, rows], which is kept; `bias` [groups, rows], None: none to correct. `moments`
    are those of the `blocks`; None: of whole rows. `levels` [n] or [groups, rows, n]: integers that alone are taken, in place of all from `q_min` to
    `q_max`.

    Without coordinate descent: with 255 levels that took a third of the time and gained nothing.
    """
    blocks = blocks or whole_rows(weight.shape[-1])
    parts, steps = blocks.cut(weight, 2), np.repeat(scale, blocks.count, axis=0)
    own = levels is not None and levels.ndim > 1
    levels = np.repeat(levels, blocks.count, axis=0) if levels is not None and own else levels
    integers = np.zeros(parts.shape, np.int8)
    change = np.zeros(parts.shape[:2])  # of each output's mean

    def fill(some: slice) -> None:
        fit, check = (m.of(some) for m in moments)
        part = parts[some].astype(np.float32)
        taken = levels[some] if levels is not None and own else levels
        step = steps[some].astype(np.float32)
        rounded = partial(_by_gptq, scale=step, limits=(q_min, q_max), levels=taken)
        solved = _solved(part, bias is not None, (fit, check), rounded)
        rounded_part = solved.integers * solved.scale[..., None]
        integers[some] = solved.integers
        change[some] = change_of_mean(part, rounded_part, fit.mean_float, fit.mean_quantized)

    at_once(fill, _a_few_groups(parts.shape))
    corrected = None if bias is None else bias + change.reshape(len(weight), blocks.count, -1).sum(axis=1)
    return Solution(blocks.joined(integers), scale, corrected)


def _by_gptq(
    target: Floats, gram: Floats, scale: Floats, limits: tuple[int, int], levels: Floats | None
) -> tuple[Floats, Floats]:
    if levels is not None:
        return gptq_to_levels(target, gram, scale, levels.astype(target.dtype), passes=0), scale
    return gptq_rounded(target, gram, scale, *limits, passes=0), scale


def _a_few_groups(shape: tuple[int, ...]) -> Iterator[slice]:
    """Slices of [groups, rows, k] whose work fits into little memory in double precision."""
    groups, rows, k = shape
    size = max(_SOLVED_AT_ONCE // (max(rows, k) * k), 1)
    return (slice(start, start + size) for start in range(0, groups, size))


def solve_few_levels(
    weight: Floats,
    bias: Floats | None,
    moments: FitAndCheck,
    bits: float,
    levels: "Callable[[Floats, Floats, float], tuple[Floats, Floats]] | None" = None,
) -> Solution:
    """The same on 2^bits evenly spaced `levels` per row, whose step is chosen too; by default those of `few_levels`. Whole rows."""
    chosen = levels or few_levels
    solved = _solved(weight, bias is not None, moments, lambda target, gram: chosen(target, gram, bits))
    means = moments[0].mean_float, moments[0].mean_quantized
    change = change_of_mean(weight, solved.integers * solved.scale[..., None], *means)
    return Solution(solved.integers, solved.scale, None if bias is None else bias + change)


def change_of_mean(weight: Array, rounded: Array, mean_float: Floats, mean_quantized: Floats) -> Floats:
    """W E[x] - Q E[z] of each output, [groups, rows], of weights [groups, rows, k] and means [groups, k]: what the bias has to
    add.
    """
    wanted = np.einsum("grk,gk->gr", weight, mean_float)
    return np.asarray(wanted - np.einsum("grk,gk->gr", rounded, mean_quantized))


def means_of(linear: Linear, pairs: Pairs, k: int) -> tuple[Floats, Floats]:
    """Of the columns in float and once quantized, [groups, k]; of as many columns as moments are taken of."""
    step = _step(linear, pairs, 1)
    sums, count = [np.zeros((linear.groups, k)), np.zeros((linear.groups, k))], 0
    for pair in _batches(linear, pairs, step, _columns_at_once(linear, k)):
        sums = [s + c.sum(axis=2, dtype=np.float64) for s, c in zip(sums, pair, strict=True)]
        count += pair[0].shape[2]
    x, z = (s / max(count, 1) for s in sums)
    return x, z


def fit_and_check_moments(
    linear: Linear, pairs: Pairs, k: int, blocks: RowBlocks | None = None
) -> FitAndCheck:
    """Of three samples of four to fit to, and of the fourth to check with, equally dense. It is the same fourth for all
    layers: a sample that an earlier layer was fitted to is not held out for the layers behind.
    """
    fit, check = [p for i, p in enumerate(pairs) if i % 4 < 3], pairs[3::4] or pairs
    step = _step(linear, fit, k if blocks is None else blocks.size)
    return moments_of(linear, fit, k, blocks, step), moments_of(linear, check, k, blocks, step)


def moments_of(
    linear: Linear, pairs: Pairs, k: int, blocks: RowBlocks | None = None, step: int | None = None
) -> Moments:
    """`k` is the length of a column, which is cut into `blocks`; None: it stays whole. Every `step`-th column counts; None: so many that
    there are several per weight.
    """
    blocks = blocks or whole_rows(k)
    step = step or _step(linear, pairs, blocks.size)
    sums: list[Floats] = []
    about: list[npt.NDArray[np.float32]] = []
    count = 0
    for pair in _batches(linear, pairs, step, _columns_at_once(linear, k)):
        columns = [blocks.cut(each, 1) for each in pair]
        # Single precision would lose small variances next to large means.
        about = about or [c.sum(axis=2) / np.float32(max(c.shape[2], 1)) for c in columns]
        x, z = at_once(_less, zip(columns, about, strict=True))
        found = [*at_once(_products, ((z, z), (x, z))), x.sum(2), z.sum(2)]
        sums = sums or [np.zeros(f.shape) for f in found]
        for s, f in zip(sums, found, strict=True):
            s += f
        count += z.shape[2]
    for s in sums:
        s /= max(count, 1)
    gram, cross, mean_float, mean_quantized = sums
    for products, mean in ((gram, mean_quantized), (cross, mean_float)):
        for g, group in enumerate(products):
            group -= np.outer(mean[g], mean_quantized[g])
    mean_float, mean_quantized = about[0] + mean_float, about[1] + mean_quantized
    found = [each.astype(np.float32) for each in (gram, cross, mean_float, mean_quantized)]
    return Moments(found[0], found[1], found[2], found[3], count)


def _outer(a: Floats, b: Floats) -> Floats:
    return np.asarray(a[:, :, None] * b[:, None, :])


def _columns_at_once(linear: Linear, k: int) -> int:
    return min(_AT_ONCE, max(_LARGEST // (4 * k * linear.groups), 1))


def _batches(linear: Linear, pairs: Pairs, step: int, least: int) -> Iterator[tuple[Array, Array]]:
    """Every `step`-th column of all samples, as if these were one long row; at least `least` together but for the last."""
    held: list[tuple[Array, Array]] = []
    size = first = 0
    for pair in pairs:
        x, z = (np.atleast_2d(each) for each in pair)
        held.append((linear.columns(x, first, step), linear.columns(z, first, step)))
        size += held[-1][0].shape[2]
        first = (first - linear.positions(x.shape)) % step
        if size >= least:
            yield _together(held)
            held, size = [], 0
    if held:
        yield _together(held)


def _together(held: list[tuple[Array, Array]]) -> tuple[Array, Array]:
    """[groups, k, columns] in float and once quantized."""
    if len(held) == 1:
        x, z = (np.asarray(each, np.float32) for each in held[0])
    else:
        x, z = (np.concatenate(each, axis=2, dtype=np.float32) for each in zip(*held, strict=True))
    return x, z


def _less(columns_about: tuple[Array, Array]) -> Array:
    """[groups, k, columns] less [groups, k], in place."""
    columns, about = columns_about
    columns -= about[..., None]
    return columns


def _products(columns: tuple[Array, Array]) -> Array:
    """Of two inputs, over all columns: single precision within a batch, double between them."""
    return columns[0] @ columns[1].transpose(0, 2, 1)


def _step(linear: Linear, pairs: Pairs, k: int) -> int:
    """With which there are several columns for each of `k` weights; all of them would only take longer. Above 2 an odd one, which
    meets every row and column of a picture.
    """
    columns = sum(linear.positions(x.shape) for x, _ in pairs)
    step = max(1, math.ceil(columns / min(max(_PER_WEIGHT * k, _FEWEST), _MOST)))
    return step if step == 2 else step - 1 + step % 2


def _solved(
    weight: Floats,
    has_bias: bool,
    moments: FitAndCheck,
    rounded: Callable[[Floats, Floats], tuple[Floats, Floats]],
) -> Solution:
    """Without the bias."""
    fit, check = moments if has_bias else (moments[0].uncentered, moments[1].uncentered)
    target = _target(weight, fit, check)
    gram = _shrunk_gram(fit, check)
    integers, scale = rounded(target, _with_ridge(gram, _DAMPING * _mean_power(gram)))
    return Solution(integers, scale, None)


def _shrunk_gram(fit: Moments, check: Moments) -> Floats:
    """E[z z'] with the products of different inputs shrunk towards zero, so that rounding does not exploit correlations
    that only these samples have.

    The shrinkage with the least expected error (Ledoit and Wolf, "A well-conditioned estimator for large-dimensional
    covariance matrices", 2004; diagonal target as in Schaefer and Strimmer, 2005); the variance of the estimate comes
    from its difference to the held-out samples.
    """
    powers = np.einsum("gkk->gk", fit.gram)
    apart = np.square(fit.gram - check.gram)
    noise = (apart.sum(axis=(1, 2)) - np.einsum("gkk->g", apart)) * check.count / (fit.count + check.count)
    signal = np.square(fit.gram).sum(axis=(1, 2)) - np.square(powers).sum(axis=1)
    # For uncorrelated inputs both are what rounding left of a difference, of either sign.
    kept = np.clip(1 - noise / np.maximum(signal, np.finfo(np.float32).tiny), 0.0, 1.0)
    shrunk: Floats = fit.gram * kept[:, None, None]
    np.einsum("gkk->gk", shrunk)[:] = powers
    return shrunk


def _target(w: Floats, fit: Moments, check: Moments) -> Floats:
    """V of each group, with the ridge that is best for held-out samples; W itself where no V is better there."""
    some = w[:, :: math.ceil(w.shape[1] / _ROWS)]
    ridge = _best_ridge(some, fit, check)
    solved = ridge > 0.0
    if not solved.any():
        return w
    found, part = w.copy(), fit.of(solved)
    found[solved] = _ridge_solution(w[solved], w[solved] @ part.cross, part.gram, ridge[solved])
    return found


def _best_ridge(w: Floats, fit: Moments, check: Moments) -> Floats:
    """Of each group; 0 where the weights themselves are better."""
    wanted, checked = w @ fit.cross, w @ check.cross
    best, least = np.zeros(len(w), w.dtype), _loss(w, checked, check.gram)
    for ridge in _RIDGES:  # from strong to weak: where one is too weak, so are those behind it
        target = _ridge_solution(w, wanted, fit.gram, np.full_like(best, ridge))
        loss = _loss(target, checked, check.gram)
        better = loss < least
        if not better.any():
            break
        best[better], least = ridge, np.minimum(loss, least)
    return best


def _ridge_solution(w: Floats, wanted: Floats, gram: Floats, ridge: Floats) -> Floats:
    """`wanted` is W E[x z'], `ridge` that of each group."""
    unit = ridge * _mean_power(gram)
    right = wanted + unit[:, None, None] * w
    return np.swapaxes(np.linalg.solve(_with_ridge(gram, unit), np.swapaxes(right, 1, 2)), 1, 2)


def _loss(v: Floats, wanted: Floats, gram: Floats) -> Floats:
    """E |W x - V z|^2 of each group, less what does not depend on V; `wanted` is W E[x z']."""
    return np.asarray(np.sum((v @ gram - 2 * wanted) * v, axis=(1, 2)))


def _mean_power(gram: Floats) -> Floats:
    """Of the inputs, [groups]."""
    mean: Floats = np.einsum("gkk->g", gram) / gram.shape[-1]
    return np.maximum(mean, 1e-12)


def _with_ridge(gram: Floats, unit: Floats) -> Floats:
    """With `unit` [groups] added to the diagonals."""
    ridged = gram.copy()
    np.einsum("gkk->gk", ridged)[:] += unit[:, None]
    return ridged


def few_levels(target: Floats, gram: Floats, bits: float) -> tuple[Floats, Floats]:
    """Integers and scales: of grids over a share of each row's weights, symmetric or with an offset, those of least error. The largest
    weight need not be representable, nor need zero. They are stored on a grid that is up to 2^(7 - bits) times as fine.
    """
    bits = int(bits)
    q_min, q_max = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    high, low = target.max(axis=-1), target.min(axis=-1)
    grids = (np.maximum(high, -low) / q_max, None), ((high - low) / (q_max - q_min), (high + low) / 2)
    integers, scales = np.zeros_like(target), np.ones(target.shape[:-1])
    least = np.full(scales.shape, np.inf)
    for share in _SHRINKS:
        for step, middle in grids:
            scale = np.maximum(step * share, 1e-12)
            offset = np.zeros_like(scale) if middle is None else middle / scale + 0.5
            fine = np.clip(127 // (np.abs(offset) - q_min + 1), 1, 2 ** (7 - bits))
            offset = np.clip(np.rint(offset * fine), -127 - q_min * fine, 127 + q_min * fine)
            shifted = target - (scale * offset / fine)[..., None]
            found = gptq_rounded(shifted, gram, scale, q_min, q_max)
            error = output_error(shifted, found, gram, scale)
            better = error < least
            integers[better] = (found * fine[..., None] + offset[..., None])[better]
            scales[better], least[better] = (scale / fine)[better], error[better]
    return integers, scales
