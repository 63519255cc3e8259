"""Rounds a matrix of weights so that its products, not its entries, stay close.

Each weight is rounded in turn and what its rounding costs is made up for by the weights still to come, as in GPTQ
(Frantar et al., "GPTQ: Accurate post-training quantization for generative pre-trained transformers", 2022, after
"Optimal brain compression", 2022). What is left is improved one weight at a time until nothing helps any more: cyclic
coordinate descent on the same error, as in QuantEase (Behdin et al., 2023).
"""

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_BLOCK = 64  # columns between two updates of all columns to come
_PASSES = 4


def round_jointly(weights: Floats, gram: Floats, scale: Floats, q_min: int, q_max: int) -> Floats:
    """Integers [..., rows, k] on the grids of `scale` [..., rows] that nearly minimise trace(E gram E') for
    E = weights - scale q.

    `weights` is [..., rows, k]; `gram` [..., k, k] must be positive definite: the second moments of what the columns
    multiply.
    """
    integers = _compensated(weights, gram, scale, q_min, q_max)
    return _descended(weights, integers, gram, scale, q_min, q_max)


def cost(weights: Floats, integers: Floats, gram: Floats, scale: Floats) -> Floats:
    """The mean squared error of each row's products, [..., rows]."""
    error = weights - integers * scale[..., None]
    return np.asarray(np.einsum("...rk,...rk->...r", error @ gram, error))


def _compensated(weights: Floats, gram: Floats, scale: Floats, q_min: int, q_max: int) -> Floats:
    # Columns that weigh most go first, while there are many left that can make up for them.
    order = np.argsort(-np.diagonal(gram, axis1=-2, axis2=-1), axis=-1, kind="stable")
    rows, columns = order[..., None, :], order[..., :, None]
    left = np.take_along_axis(weights, rows, -1)
    sorted_gram = np.take_along_axis(np.take_along_axis(gram, rows, -1), columns, -2)
    upper = np.swapaxes(np.linalg.cholesky(np.linalg.inv(sorted_gram)), -1, -2)
    integers = np.empty_like(left)
    for start in range(0, left.shape[-1], _BLOCK):
        stop = min(start + _BLOCK, left.shape[-1])
        errors = np.zeros((*left.shape[:-1], stop - start))
        for k in range(start, stop):
            integers[..., k] = _clipped(np.rint(left[..., k] / scale), q_min, q_max)
            error = (left[..., k] - integers[..., k] * scale) / upper[..., k, k, None]
            left[..., k + 1 : stop] -= error[..., None] * upper[..., None, k, k + 1 : stop]
            errors[..., k - start] = error
        left[..., stop:] -= errors @ upper[..., start:stop, stop:]
    found = np.empty_like(integers)
    np.put_along_axis(found, np.broadcast_to(rows, integers.shape), integers, -1)
    return found


def _descended(
    weights: Floats, integers: Floats, gram: Floats, scale: Floats, q_min: int, q_max: int
) -> Floats:
    q = integers.copy()
    slope = (weights - q * scale[..., None]) @ gram
    for _ in range(_PASSES):
        moved = False
        for k in range(q.shape[-1]):
            wanted = q[..., k] + slope[..., k] / (gram[..., k, k, None] * scale)
            step = _clipped(np.rint(wanted), q_min, q_max) - q[..., k]
            at = np.nonzero(step)
            if len(at[0]):
                moved = True
                q[..., k] += step
                row: tuple[Any, ...] = (*at[:-1], k)
                slope[at] -= (step[at] * scale[at])[:, None] * gram[row]
        if not moved:
            break
    return q


def _clipped(values: Floats, low: int, high: int) -> Floats:
    """np.clip, whose own overhead is most of the time on few values."""
    return np.minimum(np.maximum(values, low), high)
