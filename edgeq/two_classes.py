"""One probability per sample, as a network with a single sigmoid at its end gives it: with labels of 0 and 1 it is a
prediction, 1 above a half. Logits are none: which value parts their classes is not known. Nor is it where float is on one side
of a half on every sample: its threshold is then another.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

THRESHOLD = 0.5


def probability_of(outputs: Sequence[Array], labels: Array | None) -> int | None:
    """Which of `outputs` [samples, ...], float's own, is the only one of one number per sample, and that from 0 to 1 and on
    both sides of a half. None where none is, or where `labels` [samples] are not all 0 and 1.
    """
    found = lone_numbers(outputs)
    if labels is None or len(found) != 1 or not np.isin(labels, (0, 1)).all():
        return None
    values = outputs[found[0]]
    within = bool(((values >= 0) & (values <= 1)).all())
    return found[0] if within and len(np.unique(values > THRESHOLD)) == 2 else None


def lone_numbers(outputs: Sequence[Array]) -> list[int]:
    """Which outputs have one real number per sample."""
    return [k for k, o in enumerate(outputs) if o.dtype.kind == "f" and o.size == len(o)]


def scores_of_two(probability: Array) -> Array:
    """[samples, 2] of one probability each; at the threshold itself the prediction is 0."""
    p = probability.reshape(-1).astype(np.float64)
    return np.stack([1.0 - p, p], axis=1)
