"""Gray images for a model with three channels, and samples that hold a single value."""

from collections.abc import Iterator

import numpy as np

from edgeq.data_checks.evidence import Evidence
from edgeq.data_checks.images import image_input
from edgeq.nouns.data_check import DataFinding

_FEWEST = 8
_SHARE = 0.95
_BLANK = 0.5  # tiles of a map or of a document may well be empty
_ALIKE = 0.01  # what a channel may be off from another, scaled and shifted, in its standard deviations


def gray(evidence: Evidence) -> Iterator[DataFinding]:
    image = image_input(evidence.model.inputs)
    if image is None or image.channels != 3:
        return
    told = [_is_gray(image.planes(s[image.index])) for s in evidence.arrays]
    known = [one for one in told if one is not None]
    if len(known) >= _FEWEST and np.mean(known) >= _SHARE:
        yield DataFinding(
            "gray",
            f"{sum(known)} of {len(known)} samples are gray: their three channels hold the same picture",
            "give colour images to a model that was trained on colours: gray ones have other ranges and another accuracy",
        )


def blank(evidence: Evidence) -> Iterator[DataFinding]:
    """Of images only: silence is sound audio, and a feature may well be constant."""
    image = image_input(evidence.model.inputs)
    if image is None or evidence.model.inputs[image.index].dtype == "bool":
        return
    empty = [bool(np.ptp(s[image.index].reshape(-1)) == 0) for s in evidence.arrays]
    if len(empty) >= _FEWEST and np.mean(empty) >= _BLANK:
        yield DataFinding(
            "blank",
            f"{sum(empty)} of {len(empty)} samples hold a single value",
            "were they scaled twice, rounded to integers, or not loaded at all?",
        )


def _is_gray(planes: np.ndarray) -> bool | None:
    """Whether each channel is the first one, scaled and shifted; None for a blank image."""
    flat = planes.reshape(len(planes), -1).astype(np.float64)
    centred = flat - flat.mean(axis=1, keepdims=True)
    spread = centred.std(axis=1)
    if (spread <= 1e-9 * (1e-9 + np.abs(flat).max())).any():
        return None
    scaled = centred / spread[:, None]
    return bool(np.abs(scaled[1:] - scaled[:1]).max() < _ALIKE)
