"""Which input holds images, and which axes are its channels, rows and columns."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgeq.nouns.tensor import TensorSpec

_COLOURS = (1, 3)
_SMALLEST = 8  # pixels; below it three channels may be anything


@dataclass(frozen=True)
class ImageInput:
    """Input `index` holds arrays [1, ...] with `channels` on axis `axis`, 1 (NCHW) or 3 (NHWC)."""

    index: int
    axis: int
    channels: int

    @property
    def layout(self) -> str:
        return "NCHW" if self.axis == 1 else "NHWC"

    def planes(self, array: np.ndarray) -> np.ndarray:
        """[channels, height, width] of one sample."""
        return np.moveaxis(array[0], self.axis - 1, 0)

    def of_planes(self, planes: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(np.moveaxis(planes, 0, self.axis - 1)[None])


def image_input(inputs: Sequence[TensorSpec]) -> ImageInput | None:
    """The only input of rank 4 with one or three channels; None where there is none, or where several could be."""
    found = [one for index, spec in enumerate(inputs) if (one := _image(index, spec)) is not None]
    return found[0] if len(found) == 1 else None


def _image(index: int, spec: TensorSpec) -> ImageInput | None:
    if len(spec.shape) != 4 or spec.shape[0] not in (1, None):
        return None
    _, a, b, c = spec.shape
    for axis, channels, sides in ((1, a, (b, c)), (3, c, (a, b))):
        if channels in _COLOURS and all(s is None or s >= _SMALLEST for s in sides):
            return ImageInput(index, axis, int(channels or 0))
    return None
