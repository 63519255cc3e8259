"""What calibration saw, as plain arrays, and back."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.quantize.calibration.tensor_stats import BINS, Seen

# Changes with what Seen holds, with its bins and with which values enter them.
FORMAT = 1

_REALS = ("low", "high", "mean_low", "mean_high", "limit")
_COUNTS = ("count", "not_finite")


def packed(seen: Mapping[str, Seen], samples: int) -> dict[str, npt.NDArray[Any]]:
    arrays: dict[str, npt.NDArray[Any]] = {"samples": np.array(samples), "names": np.array(list(seen), str)}
    for field in (*_REALS, *_COUNTS):
        kind = np.float64 if field in _REALS else np.int64
        arrays[field] = np.array([getattr(s, field) for s in seen.values()], kind)
    if all(s.bins is not None for s in seen.values()):
        arrays["bins"] = np.array([s.bins for s in seen.values()], np.int64).reshape(len(seen), BINS)
    return arrays


def unpacked(arrays: Mapping[str, npt.NDArray[Any]]) -> tuple[dict[str, Seen], int] | None:
    """(tensors, samples); None where something is missing or has another shape."""
    names = arrays.get("names")
    fields = [arrays.get(field) for field in (*_REALS, *_COUNTS)]
    if names is None or "samples" not in arrays or any(f is None or f.shape != names.shape for f in fields):
        return None
    bins = arrays.get("bins")
    if bins is not None and bins.shape != (len(names), BINS):
        return None
    found: dict[str, Seen] = {}
    for k, name in enumerate(names):
        seen = found[str(name)] = Seen(histogram=False)
        for field in _REALS:
            setattr(seen, field, float(arrays[field][k]))
        for field in _COUNTS:
            setattr(seen, field, int(arrays[field][k]))
        seen.bins = None if bins is None else bins[k].copy()
    return found, int(arrays["samples"])
