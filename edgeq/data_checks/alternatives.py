"""Other ways of preparing the same samples, and whether float is clearly right more often with one of them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edgeq.data_checks.images import ImageInput, image_input
from edgeq.data_checks.layout import rearranged
from edgeq.nouns.tensor import Preprocessing, TensorSpec

if TYPE_CHECKING:
    from edgeq.data_checks.evidence import Evidence, Transform

_MEAN, _STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
_CAFFE = np.array([103.939, 116.779, 123.68])
_MNIST = np.array([0.1307]), np.array([0.3081])
_LOOKED_AT = 16  # samples
_SAME = 0.02  # of the spread


@dataclass(frozen=True)
class Alternative:
    """`apply` turns input `index` of a sample into what it would be; `words` say of the samples what was done to them.
    `moves_only`: the values are the same, in another order.
    """

    words: str
    index: int
    apply: "Transform"
    moves_only: bool = False


def alternatives(evidence: "Evidence") -> list[Alternative]:
    """Those that differ from what the samples are: other orders of an image, other scales of the only input of floats."""
    specs, arrays = evidence.model.inputs, evidence.arrays[:_LOOKED_AT]
    floats = [i for i, spec in enumerate(specs) if spec.dtype.startswith("float")]
    image = image_input(specs)
    found: list[Alternative] = []
    if image is not None and arrays:
        found += _different(_moved(image, specs[image.index]), arrays[0][image.index])
    if len(floats) != 1 or not arrays:
        return found
    index = floats[0]
    values = np.concatenate([a[index].reshape(-1) for a in arrays])
    scaled = (
        [*_as_images(image, values, evidence.samples.preprocessing)]
        if image is not None and image.index == index
        else []
    )
    if values.size:
        found += _different([*scaled, *_scaled(index, values)], arrays[0][index])
    return found


def _moved(image: ImageInput, spec: TensorSpec) -> Iterator[Alternative]:
    index = image.index
    if image.channels == 3:
        yield Alternative(
            "the channels reversed (RGB for BGR, or BGR for RGB)",
            index,
            lambda a: image.of_planes(image.planes(a)[::-1]),
            moves_only=True,
        )
        yield Alternative(
            "the values read in the order of the other layout (NHWC for NCHW, or NCHW for NHWC)",
            index,
            lambda a: rearranged(a, image),
            moves_only=True,
        )
    sides = [d for i, d in enumerate(spec.shape) if i not in (0, image.axis)]
    if len(set(sides)) == 1 and sides[0] is not None:
        yield Alternative(
            "rows and columns exchanged",
            index,
            lambda a: image.of_planes(image.planes(a).transpose(0, 2, 1)),
            moves_only=True,
        )


def _as_images(
    image: ImageInput, values: np.ndarray, preprocessing: Preprocessing | None
) -> Iterator[Alternative]:
    """The pixels 0..255 that the values stand for, prepared in the usual ways."""
    pixels = _pixels_of(image, values, preprocessing)
    if pixels is None:
        return

    def way(
        words: str,
        scale: float,
        mean: np.ndarray | float = 0.0,
        std: np.ndarray | float = 1.0,
        *,
        bgr: bool = False,
    ) -> Alternative:
        def apply(array: np.ndarray) -> np.ndarray:
            planes = pixels(image.planes(array).astype(np.float64))
            planes = planes[::-1] if bgr else planes
            shape = (-1, 1, 1)
            done = (planes * scale - np.reshape(mean, shape)) / np.reshape(std, shape)
            return image.of_planes(done).astype(array.dtype)

        return Alternative(words, image.index, apply)

    yield way("pixels of 0 to 1 (--preprocess unit)", 1 / 255)
    yield way("pixels of 0 to 255 (--preprocess none)", 1.0)
    if image.channels == 3:
        yield way("scale, mean and std of ImageNet (--preprocess imagenet)", 1 / 255, _MEAN, _STD)
    else:
        yield way("scale, mean and std of MNIST (scale=1/255,mean=0.1307,std=0.3081)", 1 / 255, *_MNIST)
    yield way("pixels of -1 to 1 (--preprocess symmetric)", 1 / 127.5, 1.0)
    if image.channels == 3:
        yield way("BGR minus the mean of ImageNet (--preprocess caffe)", 1.0, _CAFFE, bgr=True)


def _pixels_of(
    image: ImageInput, values: np.ndarray, preprocessing: Preprocessing | None
) -> "Transform | None":
    """What undoes the preprocessing: as it was said, or as the range of the values suggests."""
    shape = (-1, 1, 1)
    if preprocessing is not None:
        scale, mean, std = preprocessing.scale, np.array(preprocessing.mean), np.array(preprocessing.std)
        if scale == 0:
            return None
        return lambda p: (p * np.reshape(std, shape) + np.reshape(mean, shape)) / scale
    low, high = float(values.min()), float(values.max())
    if low >= 0 and high <= 1.001:
        return lambda p: 255 * p
    if low >= 0 and 1.5 < high <= 255:
        return lambda p: p
    if -1.001 <= low < -0.05 and high <= 1.001:
        return lambda p: (p + 1) * 127.5
    if low < -20 and high > 20 and low >= -160 and high <= 160:
        return lambda p: p + 128
    if low < 0 and max(-low, high) < 4:
        mean, std = (_MEAN, _STD) if image.channels == 3 else _MNIST
        return lambda p: 255 * (p * np.reshape(std, shape) + np.reshape(mean, shape))
    return None


def _scaled(index: int, values: np.ndarray) -> Iterator[Alternative]:
    mean, std = float(values.mean()), float(values.std())
    yield Alternative("every value 255 times smaller", index, lambda a: a * a.dtype.type(1 / 255))
    yield Alternative("every value 255 times larger", index, lambda a: a * a.dtype.type(255))
    if std > 0:
        yield Alternative(
            f"mean 0 and std 1 (less {mean:.4g}, divided by {std:.4g})",
            index,
            lambda a: ((a - mean) / std).astype(a.dtype),
        )


def _different(found: Iterable[Alternative], first: np.ndarray) -> list[Alternative]:
    kept: list[Alternative] = []
    results = [first.astype(np.float64)]
    for alternative in found:
        result = alternative.apply(first).astype(np.float64)
        spread = max(float(result.std()), 1e-12)
        if all(np.abs(result - other).max() > _SAME * spread for other in results):
            kept.append(alternative)
            results.append(result)
    return kept
