"""Random changes of images that leave their class as it is: a horizontal flip, and a shift by a few pixels.

Off unless asked for. What is drawn comes from the caller's generator, one draw for each sample.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from edgeq.errors import DataRefused

Layout = Literal["NCHW", "NHWC"]


@dataclass(frozen=True)
class Augmentation:
    """`flip`: every second image is mirrored left to right, by chance. `crop`: each is shifted by up to so many pixels in
    both directions, and what comes in from outside repeats the pixel at the edge (zeros would be a colour that the network
    never sees). `layout`: where the channels are; None finds it in the shape.
    """

    flip: bool = False
    crop: int = 0
    layout: Layout | None = None

    def __post_init__(self) -> None:
        if self.crop < 0:
            raise ValueError(f"crop is {self.crop}: expected a number of pixels, 0 for none")

    @property
    def changes(self) -> bool:
        return self.flip or self.crop > 0

    def __call__(self, inputs: Sequence[Tensor], random: np.random.Generator) -> tuple[Tensor, ...]:
        """The inputs of a mini-batch, [N, C, H, W] or [N, H, W, C]; other ranks stay as they are. The images of one sample
        are changed alike. Raises DataRefused where none of the inputs is an image.
        """
        if not self.changes:
            return tuple(inputs)
        if not any(_is_image(x) for x in inputs):
            shapes = ", ".join("x".join(map(str, x.shape)) for x in inputs)
            raise DataRefused(
                f"flip and crop are for images, and none of the inputs has four dimensions: {shapes}",
                "leave out the augmentation",
            )
        count = len(inputs[0])
        mirrored = random.random(count) < 0.5 if self.flip else np.zeros(count, bool)
        down, right = random.integers(-self.crop, self.crop + 1, (2, count))
        return tuple(self._changed(x, mirrored, down, right) if _is_image(x) else x for x in inputs)

    def _changed(self, x: Tensor, mirrored: np.ndarray, down: np.ndarray, right: np.ndarray) -> Tensor:
        layout = self.layout or layout_of(x.shape)
        height, width = x.shape[2:] if layout == "NCHW" else x.shape[1:3]
        rows = np.clip(np.arange(height) + down[:, None], 0, height - 1)
        columns = np.clip(np.arange(width) + right[:, None], 0, width - 1)
        columns = np.where(mirrored[:, None], columns[:, ::-1], columns)
        n = torch.arange(len(x), device=x.device)[:, None, None]
        down_, right_ = (torch.from_numpy(np.ascontiguousarray(i)).to(x.device) for i in (rows, columns))
        pixels = x.permute(0, 2, 3, 1) if layout == "NCHW" else x
        moved = pixels[n, down_[:, :, None], right_[:, None, :]]
        return moved.permute(0, 3, 1, 2).contiguous() if layout == "NCHW" else moved


UNCHANGED = Augmentation()


def _is_image(x: Tensor) -> bool:
    return bool(x.ndim == 4)


def layout_of(shape: Sequence[int]) -> Layout:
    """Where the channels of [N, ., ., .] are: in front unless only the last axis has as few as an image has, one to four."""
    return "NHWC" if shape[3] <= 4 < shape[1] else "NCHW"
