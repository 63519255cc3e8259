"""What goes into a model and what comes out of it."""

from dataclasses import dataclass
from typing import Optional

from .record import Record


@dataclass(frozen=True)
class Affine(Record):
    """How stored integers represent floats: float = scale * (stored - zero_point)."""

    scale: float
    zero_point: int

    def __str__(self) -> str:
        return f"stored = round(real / {self.scale:.9g}) {'-' if self.zero_point < 0 else '+'} {abs(self.zero_point)}"


@dataclass(frozen=True)
class TensorSpec(Record):
    """One input or output. `dtype` is numpy's name; a dimension is None where the model leaves it open. `affine`: the
    model was quantized by others and takes or gives quantized values.
    """

    name: str
    dtype: str
    shape: tuple[Optional[int], ...]
    affine: Optional[Affine] = None

    def __str__(self) -> str:
        return f"{self.name} {'x'.join('?' if d is None else str(d) for d in self.shape) or 'scalar'} {self.dtype}"


@dataclass(frozen=True)
class Preprocessing(Record):
    """How a raw image becomes the model's input; the contract an application on the device has to keep.

    value = (pixel * scale - mean) / std per channel, pixels 0..255. `resize` is what happens before the crop:
    "stretch" to size, "short_side" (then centre crop), or "none". `size` is (height, width).
    """

    size: Optional[tuple[int, int]] = None
    resize: str = "stretch"
    short_side: Optional[int] = None
    layout: str = "NCHW"
    channels: str = "RGB"
    scale: float = 1.0
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
