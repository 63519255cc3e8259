"""A contact sheet: the samples as pictures, with label and float's prediction below each."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgeq.data_checks.evidence import Evidence
from edgeq.data_checks.images import ImageInput, image_input
from edgeq.nouns.tensor import Preprocessing

if TYPE_CHECKING:
    from PIL.Image import Image

MOST = 64
_COLUMNS = 8
_SIDE = 96  # pixels of a picture's longer side, at least
_LINE = 14
_GAP = 4
_WRONG, _PLAIN = (180, 0, 0), (0, 0, 0)


def draw(evidence: Evidence, numbers: "np.ndarray | None", answers: "np.ndarray | None", path: Path) -> bool:
    """Writes a PNG to `path`; False where no input holds pictures. Arrays of two dimensions, as spectra, are drawn too."""
    from PIL import Image, ImageDraw

    pictures = [_picture(evidence, sample) for sample in evidence.arrays[:MOST]]
    shown = [picture for picture in pictures if picture is not None]
    if not shown or len(shown) < len(pictures):
        return False
    labels = evidence.labels(numbers)
    width, height = max(p.width for p in shown) + _GAP, max(p.height for p in shown) + _LINE + _GAP
    columns = min(_COLUMNS, len(shown))
    page = Image.new("RGB", (columns * width + _GAP, -(-len(shown) // columns) * height + _GAP), "white")
    pen = ImageDraw.Draw(page)
    for i, picture in enumerate(shown):
        left, top = _GAP + i % columns * width, _GAP + i // columns * height
        page.paste(picture, (left, top))
        text, is_wrong = _text(i, labels, answers)
        pen.text((left, top + picture.height + 1), text, fill=_WRONG if is_wrong else _PLAIN)
    page.save(path, format="PNG")
    return True


def _text(i: int, labels: "np.ndarray | None", answers: "np.ndarray | None") -> tuple[str, bool]:
    label = None if labels is None or i >= len(labels) else int(labels[i])
    answer = None if answers is None or i >= len(answers) else int(answers[i])
    if label is None:
        return ("" if answer is None else f"float {answer}"), False
    return (f"{label}" if answer is None else f"{label}, float {answer}"), answer not in (None, label)


def _picture(evidence: Evidence, sample: tuple[np.ndarray, ...]) -> "Image | None":
    from PIL import Image

    image = image_input(evidence.model.inputs)
    if image is not None:
        pixels = _pixels(image, sample[image.index], evidence.samples.preprocessing)
    else:
        flat = next((np.squeeze(a) for a in sample if np.squeeze(a).ndim == 2), None)
        if flat is None:
            return None
        pixels = _stretched(flat.astype(np.float64))
    drawn = Image.fromarray(pixels)
    times = max(1, _SIDE // max(drawn.size))
    drawn = drawn.resize((drawn.width * times, drawn.height * times), Image.Resampling.NEAREST)
    drawn.thumbnail((2 * _SIDE, 2 * _SIDE))
    return drawn


def _pixels(image: ImageInput, array: np.ndarray, preprocessing: Preprocessing | None) -> np.ndarray:
    """uint8 [H, W, 3] or [H, W]: the preprocessing undone; without one, each sample's own range is stretched."""
    planes = image.planes(array).astype(np.float64)
    if preprocessing is None or not preprocessing.scale:
        pixels = _stretched(planes)
    else:
        shape = (-1, 1, 1)
        undone = planes * np.reshape(preprocessing.std, shape) + np.reshape(preprocessing.mean, shape)
        pixels = np.clip(np.round(undone / preprocessing.scale), 0, 255).astype(np.uint8)
        pixels = pixels[::-1] if preprocessing.channels == "BGR" else pixels
    return np.ascontiguousarray(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0))


def _stretched(values: np.ndarray) -> np.ndarray:
    low, high = float(values.min()), float(values.max())
    return np.round((values - low) * (255 / (high - low) if high > low else 0)).astype(np.uint8)
