"""One layer: the integers and the bias with which it comes closest to what it computes in float.

With x what the layer gets in float and z what it gets once quantized, the error is E |W x + b - (Q z + c)|^2. The bias
takes the means: c = b + W E[x] - Q E[z] (empirical bias correction, Nagel et al., "Data-free quantization through
weight equalization and bias correction", 2019). For real Q the rest has its minimum at V = W E[x z'] E[z z']^-1, and for
any Q it is (V - Q) E[z z'] (V - Q)' above that minimum. So rounding V jointly is all there is to do; that V takes up the
errors of the layers before is what GPTAQ adds to GPTQ (Li et al., 2025).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgeq.quantize.passes.fit.gptq_rounding import Floats, cost, round_jointly
from edgeq.quantize.passes.fit.moments import Moments

# Shares of the inputs' mean power. V is drawn to W where the inputs say little about it, by as much as serves inputs
# that it was not fitted to; rounding is kept from leaning on directions that the samples hardly have.
_RIDGES = (1.0, 0.1, 0.01, 0.001)
_DAMPING = 1e-3

Parts = tuple[Moments, Moments]  # of the samples to learn from, and of others to try on

_SHRINKS = np.linspace(1.0, 0.4, 13)


@dataclass(frozen=True)
class Solution:
    """`integers` [groups, rows, k] on grids of `scale` [groups, rows] without zero point; `bias` [groups, rows]."""

    integers: npt.NDArray[np.float64]
    scale: npt.NDArray[np.float64]
    bias: npt.NDArray[np.float64] | None


def solve(
    weight: Floats, bias: Floats | None, parts: Parts, scale: Floats, q_min: int, q_max: int
) -> Solution:
    """`weight` [groups, rows, k], `scale` [groups, rows], which is kept; `bias` [groups, rows], None: none to adapt.

    Rounding is not improved weight by weight: with 255 levels that took a third of the time and won nothing.
    """
    return _solved(
        weight,
        bias,
        parts,
        lambda aim, gram: (round_jointly(aim, gram, scale, q_min, q_max, passes=0), scale),
    )


def solve_few_levels(weight: Floats, bias: Floats | None, parts: Parts, bits: int) -> Solution:
    """The same on 2^bits evenly spaced levels per row, whose step and place are chosen with them: the largest weight need
    not be among them, nor need zero. They are carried on a grid that is up to 2^(7 - bits) times as fine.
    """
    return _solved(weight, bias, parts, lambda aim, gram: _on_few_levels(aim, gram, bits))


def _solved(
    weight: Floats,
    bias: Floats | None,
    parts: Parts,
    rounded: Callable[[Floats, Floats], tuple[Floats, Floats]],
) -> Solution:
    fit, check = (parts[0].about_zero, parts[1].about_zero) if bias is None else parts
    aim = _aim(weight, fit, check)
    gram = _sure(fit, check)
    integers, scale = rounded(aim, _ridged(gram, _DAMPING * _power(gram)))
    if bias is not None:
        wanted = np.einsum("grk,gk->gr", weight, fit.mean_float)
        bias = bias + wanted - np.einsum("grk,gk->gr", integers * scale[..., None], fit.mean_quantized)
    return Solution(integers, scale, bias)


def _sure(fit: Moments, check: Moments) -> Floats:
    """Products of different inputs less what is owed to the choice of samples, so that rounding does not lean on it: the
    share that comes closest to the true ones in the mean (Ledoit and Wolf, 2004; Schaefer and Strimmer, 2005), with the
    variance taken from the difference to other samples.
    """
    powers = np.einsum("gkk->gk", fit.gram)
    apart = np.square(fit.gram - check.gram)
    noise = (apart.sum(axis=(1, 2)) - np.einsum("gkk->g", apart)) * check.count / (fit.count + check.count)
    signal = np.square(fit.gram).sum(axis=(1, 2)) - np.square(powers).sum(axis=1)
    # Where inputs have next to nothing to do with each other, both are what rounding left of a difference, of either sign.
    kept = np.clip(1 - noise / np.maximum(signal, 1e-300), 0.0, 1.0)
    shrunk: Floats = fit.gram * kept[:, None, None]
    np.einsum("gkk->gk", shrunk)[:] = powers
    return shrunk


def _aim(w: Floats, fit: Moments, check: Moments) -> Floats:
    """V of each group, with the ridge that is best for other samples; W itself where no V is better there."""
    wanted, checked = w @ fit.cross, w @ check.cross
    best, least = w, _loss(w, checked, check.gram)
    for ridge in _RIDGES:  # from strong to weak: where one is too weak, so are those behind it
        aim = _fitted(w, wanted, fit.gram, ridge)
        loss = _loss(aim, checked, check.gram)
        better = loss < least
        if not better.any():
            break
        best, least = np.where(better[:, None, None], aim, best), np.minimum(loss, least)
    return best


def _fitted(w: Floats, wanted: Floats, gram: Floats, ridge: float) -> Floats:
    """`wanted` is W E[x z']."""
    unit = ridge * _power(gram)
    aims = wanted + unit[:, None, None] * w
    return np.swapaxes(np.linalg.solve(_ridged(gram, unit), np.swapaxes(aims, 1, 2)), 1, 2)


def _loss(v: Floats, wanted: Floats, gram: Floats) -> Floats:
    """E |W x - V z|^2 of each group, less what does not depend on V; `wanted` is W E[x z']."""
    return np.asarray(np.sum((v @ gram - 2 * wanted) * v, axis=(1, 2)))


def _power(gram: Floats) -> Floats:
    """The inputs' mean power, [groups]."""
    mean: Floats = np.einsum("gkk->g", gram) / gram.shape[-1]
    return np.maximum(mean, 1e-12)


def _ridged(gram: Floats, unit: Floats) -> Floats:
    """With `unit` [groups] added to the diagonals."""
    ridged = gram.copy()
    np.einsum("gkk->gk", ridged)[:] += unit[:, None]
    return ridged


def _on_few_levels(aim: Floats, gram: Floats, bits: int) -> tuple[Floats, Floats]:
    """Integers and scales, per row those of least error among grids that hold a share of the row's weights, about zero
    or about their middle.
    """
    q_min, q_max = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    high, low = aim.max(axis=-1), aim.min(axis=-1)
    grids = (np.maximum(high, -low) / q_max, None), ((high - low) / (q_max - q_min), (high + low) / 2)
    integers, scales = np.zeros_like(aim), np.ones(aim.shape[:-1])
    least = np.full(scales.shape, np.inf)
    for share in _SHRINKS:
        for step, middle in grids:
            scale = np.maximum(step * share, 1e-12)
            offset = np.zeros_like(scale) if middle is None else middle / scale + 0.5
            fine = np.clip(127 // (np.abs(offset) - q_min + 1), 1, 2 ** (7 - bits))
            offset = np.clip(np.rint(offset * fine), -127 - q_min * fine, 127 + q_min * fine)
            shifted = aim - (scale * offset / fine)[..., None]
            found = round_jointly(shifted, gram, scale, q_min, q_max)
            error = cost(shifted, found, gram, scale)
            better = error < least
            integers[better] = (found * fine[..., None] + offset[..., None])[better]
            scales[better], least[better] = (scale / fine)[better], error[better]
    return integers, scales
