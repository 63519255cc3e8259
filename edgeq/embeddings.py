"""Tells vectors made for cosine similarity from class scores, which have the same shape."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def are_directions(rows: NDArray[Any]) -> bool:
    """Whether `rows`, [samples, n], all have length one and entries below zero: the largest entry is no class then."""
    values = rows.astype(np.float64)
    return bool((values < 0).any()) and np.allclose(np.linalg.norm(values, axis=1), 1.0, atol=1e-3)
