"""Rounds a weight matrix with the least error of the layer's outputs, not of the weights.

Weights are rounded one column after the other, and the columns still to come compensate the error of each, as in GPTQ
(Frantar et al., "GPTQ: accurate post-training quantization for generative pre-trained transformers", 2022, after "Optimal
brain compression", 2022). Coordinate descent on the same error follows, as in QuantEase (Behdin et al., 2023).
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
Nearest = Callable[[Floats], Floats]  # of [..., columns, rows] in steps of their scales

_BLOCK = 64  # columns between two updates of all others
_PASSES = 8  # of coordinate descent


def gptq_rounded(
    weights: Floats, gram: Floats, scale: Floats, q_min: int, q_max: int, passes: int = _PASSES
) -> Floats:
    """Integers q [..., rows, k] that nearly minimize trace(E gram E') for E = weights - scale q.

    `weights` is [..., rows, k], `scale` [..., rows]; `gram` [..., k, k] is E[x x'] of the layer's inputs x and must be
    positive definite. `passes` bounds the coordinate descent.
    """
    return _rounded(weights, gram, scale, lambda steps: _clipped(np.rint(steps), q_min, q_max), passes)


def gptq_to_levels(
    weights: Floats, gram: Floats, scale: Floats, levels: Floats, passes: int = _PASSES
) -> Floats:
    """The same with `levels` in ascending order, [n] or [..., rows, n] of each row, in place of all integers of a range: a single
    weight is best at the level nearest to where it would be best of all, whatever the levels are.
    """
    return _rounded(weights, gram, scale, nearest_of(levels), passes)


def nearest_of(levels: Floats) -> Nearest:
    """Of the middle between two levels the lower one, as in edgeq/quantize/numerics/levels.py."""
    middles = (levels[..., 1:] + levels[..., :-1]) / 2
    if levels.ndim == 1:
        return lambda steps: levels[np.searchsorted(middles, steps)]
    middles, levels = middles[..., None, :, :], levels[..., None, :, :]

    def nearest(steps: Floats) -> Floats:
        index = np.zeros(steps.shape, np.intp)
        for k in range(middles.shape[-1]):
            index += steps > middles[..., k]
        return np.take_along_axis(levels, index[..., None], -1)[..., 0]

    return nearest


def _rounded(weights: Floats, gram: Floats, scale: Floats, nearest: Nearest, passes: int) -> Floats:
    columns = np.ascontiguousarray(np.swapaxes(weights, -1, -2))  # a column's values lie together
    scale = scale[..., None, :]
    integers = _gptq(columns, gram, scale, nearest)
    integers = _coordinate_descent(columns, integers, gram, scale, nearest, passes)
    return np.ascontiguousarray(np.swapaxes(integers, -1, -2))


def output_error(weights: Floats, integers: Floats, gram: Floats, scale: Floats) -> Floats:
    """The mean squared error of each output, [..., rows]."""
    error = weights - integers * scale[..., None]
    return np.asarray(np.einsum("...rk,...rk->...r", error @ gram, error))


def _gptq(columns: Floats, gram: Floats, scale: Floats, nearest: Nearest) -> Floats:
    """`columns` and the integers are [..., k, rows], `scale` [..., 1, rows].

    With gram = U D U', U upper triangular with ones on its diagonal, trace(E gram E') is
    sum_k D_k |E_k + sum_(j<k) U_jk E_j|^2, and each column in turn is rounded to make its term small. That gives GPTQ's
    integers from one factorization and no inverse (Chee et al., "QuIP: 2-bit quantization of large language models with
    guarantees", 2023).
    """
    # Columns with the largest inputs go first, while many are left that can compensate (GPTQ's act_order).
    order = np.argsort(-np.diagonal(gram, axis1=-2, axis2=-1), axis=-1, kind="stable")[..., None]
    wanted = np.take_along_axis(columns, order, -2)
    sorted_gram = np.take_along_axis(np.take_along_axis(gram, np.swapaxes(order, -1, -2), -1), order, -2)
    upper = np.linalg.cholesky(sorted_gram[..., ::-1, ::-1])[..., ::-1, ::-1]
    upper = upper / np.diagonal(upper, axis1=-2, axis2=-1)[..., None, :]
    aims, integers = wanted.copy(), np.empty_like(wanted)
    errors = np.empty_like(wanted)
    for start in range(0, wanted.shape[-2], _BLOCK):
        stop = min(start + _BLOCK, wanted.shape[-2])
        for k in range(start, stop):
            here = slice(k, k + 1)
            integers[..., here, :] = found = nearest(aims[..., here, :] / scale)
            errors[..., here, :] = error = wanted[..., here, :] - found * scale
            aims[..., k + 1 : stop, :] += upper[..., k, k + 1 : stop, None] * error
        block = np.swapaxes(upper[..., start:stop, stop:], -1, -2)
        aims[..., stop:, :] += block @ errors[..., start:stop, :]
    found = np.empty_like(integers)
    np.put_along_axis(found, np.broadcast_to(order, integers.shape), integers, -2)
    return found


def _coordinate_descent(
    columns: Floats, integers: Floats, gram: Floats, scale: Floats, nearest: Nearest, passes: int
) -> Floats:
    """In each pass those columns of a block change, one after the other, that were not optimal when the block's turn came."""
    if not passes:
        return integers
    q = integers.copy()
    slope = gram @ (columns - q * scale)
    reach = np.diagonal(gram, axis1=-2, axis2=-1)[..., None] * scale

    def steps(at: slice) -> Floats:
        now = q[..., at, :]
        return nearest(now + slope[..., at, :] / reach[..., at, :]) - now

    for _ in range(passes):
        moved = False
        for start in range(0, q.shape[-2], _BLOCK):
            block = slice(start, min(start + _BLOCK, q.shape[-2]))
            wanting = np.flatnonzero(
                steps(block).any(axis=tuple(a for a in range(q.ndim) if a != q.ndim - 2))
            )
            if not len(wanting):
                continue
            before = q[..., block, :].copy()
            for k in wanting + start:
                step = steps(slice(k, k + 1))
                q[..., k : k + 1, :] += step
                slope[..., block, :] -= gram[..., block, k, None] * (step * scale)
            change = (q[..., block, :] - before) * scale
            moved |= bool(change.any())
            for others in (slice(0, start), slice(block.stop, None)):
                slope[..., others, :] -= gram[..., others, block] @ change
        if not moved:
            break
    return q


def _clipped(values: Floats, low: int, high: int) -> Floats:
    """np.clip, whose own overhead is most of the time on few values."""
    return np.minimum(np.maximum(values, low), high)
