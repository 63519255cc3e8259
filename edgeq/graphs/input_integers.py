"""Quantizes a float sample for an input that takes integers, as the runtimes and edgeq_runtime.py do it on a device."""

from typing import Any

import numpy as np
import numpy.typing as npt


def input_integers(
    values: npt.NDArray[Any], dtype: npt.DTypeLike, scale: float, zero_point: int
) -> npt.NDArray[Any]:
    """clip(round(x / scale) + zero_point) to the range of `dtype`, halves to even.

    Divides in float32, as QuantizeLinear does: at ties a quotient in float64 rounds to another integer.
    """
    limits = np.iinfo(np.dtype(dtype))
    steps = np.rint(np.asarray(values, np.float32) / np.float32(scale)).astype(np.float64)
    return np.asarray(np.clip(steps + zero_point, limits.min, limits.max), dtype)
