"""A layer's error at its output and its parts, summed over samples."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.quantize.evaluate.sqnr import NO_SIGNAL, differences, finite

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class LayerError:
    """Root mean squares over that of float's output. `own` is the error where the layer gets float's input. `low` and
    `high` bound its quantized input and `clipping` is what they cut off, None where ranges are not fixed. Other parts are
    None where they cannot be told apart.
    """

    error: float
    own: float
    rounding: float | None
    weights: float | None
    bias_shift: float
    low: float | None = None
    high: float | None = None
    clipping: float | None = None


class Sums:
    """Collects a layer's error over samples; its output has its channels along `axis`."""

    def __init__(self, axis: int) -> None:
        self._axis = axis
        self._powers = np.zeros(5)
        self._total: Array = np.zeros(1)
        self._count = 0

    def add(self, real: Array, given: Array, own: Array, exact: Array) -> None:
        """Of one sample: float's output, the file's, and the file's of float's input, also with its weights alone."""
        y, z, q, v = (np.atleast_1d(a).astype(np.float64) for a in (real, given, own, exact))
        error = differences(y, z)
        parts = (finite(y), error, differences(y, q), differences(v, z), differences(y, v))
        with np.errstate(invalid="ignore", over="ignore"):  # what is infinite here makes `error` None
            self._powers += [float(np.sum(np.square(part))) for part in parts]
            rows = np.moveaxis(error, self._axis, -1).reshape(-1, y.shape[self._axis])
            self._total = self._total + rows.sum(axis=0)
        self._count += len(rows)

    def error(self) -> LayerError | None:
        """None where values are beyond what floats hold, or there were none."""
        with np.errstate(invalid="ignore", over="ignore"):
            shift = float(np.sum(np.square(self._total / max(self._count, 1)))) * self._count
        found = LayerError(*relative([*self._powers, shift]))
        return found if self._count and np.isfinite([found.error, found.own]).all() else None


def relative(powers: list[float]) -> list[float]:
    """Root mean squares of all but the first over that of the first."""
    signal, *errors = powers
    return [float(np.sqrt(e / max(signal, NO_SIGNAL))) for e in errors]
