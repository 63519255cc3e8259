"""An image file -> pixels -> one float32 array, exactly as a Preprocessing says. Knows pillow; knows no folder and no model."""

from pathlib import Path

import numpy as np

from edgeq.errors import DataRefused
from edgeq.ingest import image_file
from edgeq.limited.ask import ask
from edgeq.limited.limits import for_file
from edgeq.nouns.tensor import Preprocessing


def read_pixels(path: Path) -> np.ndarray:
    """uint8 [H, W, 3], RGB, turned upright as the file's EXIF says. Raises DataRefused naming the file."""
    found, content = ask(image_file.READER, path, for_file(image_file.LIMITS_FOR))
    return np.frombuffer(content, np.uint8).reshape(found["height"], found["width"], 3)


def preprocess(pixels: np.ndarray, preprocessing: Preprocessing, where: str) -> np.ndarray:
    """`pixels` is uint8 [H, W], [H, W, 1] or [H, W, 3] in RGB order. Raises DataRefused for other arrays.

    Resizing is pillow's bilinear filter with antialiasing, on 8-bit pixels; GRAY is ITU-R 601 luma.
    """
    from PIL import Image

    if (
        pixels.dtype != np.uint8
        or pixels.ndim not in (2, 3)
        or (pixels.ndim == 3 and pixels.shape[2] not in (1, 3))
    ):
        raise DataRefused(
            f"{where}: preprocessing is for images, uint8 of shape HxWx3 or HxW; this is {_text(pixels)}",
            "leave out --preprocess for arrays that are the model's input already",
        )
    image = Image.fromarray(pixels[:, :, 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels)
    image = _sized(image.convert("L" if preprocessing.channels == "GRAY" else "RGB"), preprocessing, where)
    planes = np.asarray(image, dtype=np.float32).reshape(image.height, image.width, -1)
    if preprocessing.channels == "BGR":
        planes = planes[:, :, ::-1]
    # In float64, so that scale=1/255 and a mean of three digits lose nothing before the one rounding to float32.
    values = (planes.astype(np.float64) * preprocessing.scale - np.array(preprocessing.mean)) / np.array(
        preprocessing.std
    )
    values = values.transpose(2, 0, 1) if preprocessing.layout == "NCHW" else values
    return np.ascontiguousarray(values, dtype=np.float32)


def _sized(image, preprocessing: Preprocessing, where: str):  # type: ignore[no-untyped-def]
    from PIL import Image

    if preprocessing.size is None:
        return image
    height, width = preprocessing.size
    if preprocessing.resize == "stretch":
        return image.resize((width, height), Image.Resampling.BILINEAR)
    if preprocessing.resize == "short_side":
        factor = (preprocessing.short_side or min(preprocessing.size)) / min(image.width, image.height)
        size = (round(image.width * factor), round(image.height * factor))
        image = image.resize(size, Image.Resampling.BILINEAR)
    if image.width < width or image.height < height:
        raise DataRefused(
            f"{where} is {image.height}x{image.width} pixels, smaller than the crop of {height}x{width}",
            f"--preprocess size={height}x{width},resize=stretch enlarges it",
        )
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))


def _text(array: np.ndarray) -> str:
    return f"{array.dtype} of shape {'x'.join(map(str, array.shape)) or 'scalar'}"
