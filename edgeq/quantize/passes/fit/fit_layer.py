"""Fits one layer to pairs of inputs, float and quantized."""

from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.quantize.passes.fit.fitted_weights import Weights
from edgeq.quantize.passes.fit.least_squares import solve, solve_few_levels
from edgeq.quantize.passes.fit.linear import Linear
from edgeq.quantize.passes.fit.moments import parts_of

Array = npt.NDArray[Any]

# Length of a row whose moments are worth their time and memory: 4,608 are 512 channels under a 3 x 3 window.
_LONGEST = 4608


def fits(linear: Linear, weight: Array) -> bool:
    return int(linear.matrix(weight).shape[-1]) <= _LONGEST


def fitted(
    linear: Linear,
    pairs: list[tuple[Array, Array]],
    weight: Array,
    bias: Array | None,
    integers: Array,
    scale: Array,
    bits: int,
) -> Weights:
    """`weight` and `bias` are float's, `integers` and `scale` (one per row or one for all) those of the file so far.

    Keeps the scale and the largest integer at 8 `bits`; below, rows with a scale of their own get 2^bits levels.
    """
    matrix = linear.matrix(weight)
    parts = parts_of(linear, pairs, matrix.shape[-1])
    wanted = None if bias is None else bias.astype(np.float64).reshape(matrix.shape[:2])
    if bits < 8 and scale.size == matrix.shape[0] * matrix.shape[1]:
        solution = solve_few_levels(matrix, wanted, parts, bits)
    else:
        rows = np.broadcast_to(scale.astype(np.float64).reshape(-1), matrix.shape[0] * matrix.shape[1])
        limit = int(np.abs(integers.astype(np.int16)).max())
        solution = solve(matrix, wanted, parts, rows.reshape(matrix.shape[:2]), -limit, limit)
    return Weights(
        linear.tensor(solution.integers, integers),
        solution.scale.reshape(-1) if scale.size > 1 else solution.scale.reshape(-1)[:1],
        None if solution.bias is None else solution.bias.reshape(-1),
    )
