"""What a tensor loses on its way through a grid, and by which cause: clipping or rounding."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgeq.errors import DataRefused
from edgeq.quantize.numerics.params import Params
from edgeq.quantize.numerics.rounding import Rounding, half_even
from edgeq.quantize.numerics.to_grid import round_trip


@dataclass(frozen=True)
class Noise:
    """Of all values: mean squared error, and `largest` |x - x'|, in x's unit (squared).

    `mse` is the sum of `clipping`, the part of the values outside what the grid can represent, and `rounding`, the
    part of those inside. `sqnr_db` is 10 log10(sum x^2 / sum (x - x')^2), None when nothing is lost.
    """

    mse: float
    clipping: float
    rounding: float
    largest: float
    sqnr_db: float | None


def error(x: npt.ArrayLike, params: Params, rounding: Rounding = half_even) -> Noise:
    """In float64 over the float32 values. No values lose nothing. Raises DataRefused where x is not finite."""
    values = np.asarray(x, np.float32)
    if not np.all(np.isfinite(values)):
        raise DataRefused(
            "a tensor to quantize has values that are inf or nan", "look for overflow in the model"
        )
    lost = values.astype(np.float64) - round_trip(values, params, rounding)
    low, high = (params.granularity.spread(limit, values.shape) for limit in params.limits())
    outside = (values < low) | (values > high)
    count = max(values.size, 1)
    clipping = float(np.sum(np.square(lost), where=outside)) / count
    inside = float(np.sum(np.square(lost), where=~outside)) / count
    mse = clipping + inside
    signal = float(np.sum(np.square(values, dtype=np.float64))) / count
    return Noise(
        mse=mse,
        clipping=clipping,
        rounding=inside,
        largest=float(np.max(np.abs(lost), initial=0.0)),
        sqnr_db=10.0 * float(np.log10(signal / mse)) if mse > 0 else None,
    )
