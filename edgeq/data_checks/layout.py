"""Images whose values are in the other layout than the input's shape says: reshaped where a transpose was needed.

Neighbouring pixels of an image are alike. Where those of the declared order are not, and those of the other order are, on nearly
every sample, the shape is right and the order is wrong.
"""

from collections.abc import Iterator

import numpy as np

from edgeq.data_checks.evidence import Evidence
from edgeq.data_checks.images import ImageInput, image_input
from edgeq.nouns.data_check import DataFinding

_SMOOTHER = 0.6  # differences of neighbours in the other order, over those in the declared one
_SHARE = 0.9  # of the samples
_FEWEST = 4


def wrong_layout(evidence: Evidence) -> Iterator[DataFinding]:
    image = image_input(evidence.model.inputs)
    if image is None or image.channels != 3:
        return
    ratios = [_ratio(sample[image.index], image) for sample in evidence.arrays]
    told = np.array([r for r in ratios if r is not None])
    if len(told) < _FEWEST or np.mean(told < _SMOOTHER) < _SHARE:
        return
    other = "NHWC" if image.layout == "NCHW" else "NCHW"
    how = "transpose(0, 3, 1, 2)" if other == "NHWC" else "transpose(0, 2, 3, 1)"
    yield DataFinding(
        "layout",
        f"the samples have the shape of {image.layout}, but their values are in the order of {other}: read as {other}, neighbouring "
        f"pixels are similar on {np.mean(told < _SMOOTHER):.0%} of {len(told)} samples; as stored, they are not",
        f"the {other} images were reshaped; use {how} instead",
    )


def rearranged(array: np.ndarray, image: ImageInput) -> np.ndarray:
    """One sample with its values taken in the other order, in the declared layout."""
    channels, height, width = image.planes(array).shape
    if image.axis == 1:
        return np.ascontiguousarray(array.reshape(1, height, width, channels).transpose(0, 3, 1, 2))
    return np.ascontiguousarray(array.reshape(1, channels, height, width).transpose(0, 2, 3, 1))


def _ratio(array: np.ndarray, image: ImageInput) -> float | None:
    """None for an image without any difference."""
    declared = _roughness(image.planes(array))
    return _roughness(image.planes(rearranged(array, image))) / declared if declared > 0 else None


def _roughness(planes: np.ndarray) -> float:
    """Mean difference of neighbours within a channel."""
    values = planes.astype(np.float64)
    return float(np.abs(np.diff(values, axis=1)).mean() + np.abs(np.diff(values, axis=2)).mean())
