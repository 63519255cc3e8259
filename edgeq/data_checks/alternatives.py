"""Alternative preprocessings of the same samples: channel order, layout, scale, mean, inverted images."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from edgeq.data_checks.images import ImageInput, image_input
from edgeq.data_checks.layout import rearranged
from edgeq.ingest.preprocess import as_text
from edgeq.nouns.tensor import Preprocessing, TensorSpec

if TYPE_CHECKING:
    from edgeq.data_checks.evidence import Evidence, Transform

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_CAFFE = (103.939, 116.779, 123.68)
_MNIST = (0.1307,), (0.3081,)
_LOOKED_AT = 16  # samples
_SAME = 0.02  # of the spread


@dataclass(frozen=True)
class Alternative:
    """`apply` turns input `index` of a sample into what it would be; `words` say of the samples what was done to them, `remedy`
    how to do it: by --preprocess for images, by a formula for arrays. `moves_only`: the values are the same, in another order.
    `fitted`: its numbers are those of the samples, and nobody's who trained a model.
    """

    words: str
    remedy: str
    index: int
    apply: "Transform"
    moves_only: bool = False
    fitted: bool = False


def alternatives(evidence: "Evidence") -> list[Alternative]:
    """Those that differ from what the samples are: other orders of an image, other scales of the only input of floats."""
    specs, arrays = evidence.model.inputs, evidence.arrays[:_LOOKED_AT]
    floats = [i for i, spec in enumerate(specs) if spec.dtype.startswith("float")]
    image = image_input(specs)
    found: list[Alternative] = []
    preprocessing = evidence.samples.preprocessing
    if image is not None and arrays:
        found += _different(_moved(image, specs[image.index], preprocessing), arrays[0][image.index])
    if len(floats) != 1 or not arrays:
        return found
    index = floats[0]
    values = np.concatenate([a[index].reshape(-1) for a in arrays])
    if not values.size:
        return found
    scaled = [*_scaled(index, values, preprocessing)]
    if image is not None and image.index == index:
        scaled = [
            *_as_images(image, values, preprocessing),
            *scaled,
            *_inverted(image, values, preprocessing),
        ]
    return found + _different(scaled, arrays[0][index])


def _moved(image: ImageInput, spec: TensorSpec, preprocessing: Preprocessing | None) -> Iterator[Alternative]:
    index = image.index
    if image.channels == 3:
        yield Alternative(
            "the channels reversed (RGB for BGR, or BGR for RGB)",
            f"reverse the channels: x[{':, ' if image.axis == 1 else '..., '}::-1]"
            if preprocessing is None
            else _said(_reversed(preprocessing)),
            index,
            lambda a: image.of_planes(image.planes(a)[::-1]),
            moves_only=True,
        )
        yield Alternative(
            "the values read in the order of the other layout (NHWC for NCHW, or NCHW for NHWC)",
            "transpose the images of the other layout instead of reshaping them",
            index,
            lambda a: rearranged(a, image),
            moves_only=True,
        )
    sides = [d for i, d in enumerate(spec.shape) if i not in (0, image.axis)]
    if len(set(sides)) == 1 and sides[0] is not None:
        yield Alternative(
            "rows and columns exchanged",
            "exchange rows and columns"
            + (f": x.swapaxes({'2, 3' if image.axis == 1 else '1, 2'})" if preprocessing is None else ""),
            index,
            lambda a: image.of_planes(image.planes(a).transpose(0, 2, 1)),
            moves_only=True,
        )


def _reversed(p: Preprocessing) -> Preprocessing:
    channels = {"RGB": "BGR", "BGR": "RGB"}.get(p.channels, p.channels)
    return replace(p, channels=channels, mean=p.mean[::-1], std=p.std[::-1])


def _said(preprocessing: Preprocessing) -> str:
    return f"--preprocess {as_text(preprocessing)}"


def _listed(values: tuple[float, ...]) -> str:
    return "/".join(f"{v:g}" for v in values)


@dataclass(frozen=True)
class _Way:
    """A usual way to prepare pixels 0..255, (pixel * scale - mean) / std; `formula` says it of arrays."""

    words: str
    formula: str
    scale: float
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    bgr: bool = False


_OF_COLOURS = (
    _Way(
        "the scale, mean and std of ImageNet",
        f"(pixel / 255 - mean) / std with mean {_listed(_MEAN)} and std {_listed(_STD)}, channels RGB",
        1 / 255,
        _MEAN,
        _STD,
    ),
    _Way(
        "the channels BGR, less the mean of ImageNet",
        f"pixel - mean with pixels of 0 to 255, channels BGR, mean {_listed(_CAFFE)}",
        1.0,
        _CAFFE,
        bgr=True,
    ),
)
_OF_GRAYS = (
    _Way(
        "the scale, mean and std of MNIST",
        "(pixel / 255 - 0.1307) / 0.3081",
        1 / 255,
        *_MNIST,
    ),
)
_OF_ANY = (
    _Way("pixels of 0 to 1", "pixel / 255", 1 / 255),
    _Way("pixels of -1 to 1", "pixel / 127.5 - 1", 1 / 127.5, (1.0,)),
    _Way("pixels of 0 to 255", "pixels of 0 to 255", 1.0),
)


def _as_images(
    image: ImageInput, values: np.ndarray, preprocessing: Preprocessing | None
) -> Iterator[Alternative]:
    """The values converted back to pixels 0..255, then preprocessed in the usual ways."""
    pixels = _pixels_of(image, values, preprocessing)
    if pixels is None:
        return
    now_bgr = preprocessing is not None and preprocessing.channels == "BGR"
    for way in (*(_OF_COLOURS if image.channels == 3 else _OF_GRAYS), *_OF_ANY):
        # The order of the channels stays as it is, unless the way has one of its own.
        turned = way.bgr and not now_bgr
        mean, std = (v[::-1] if now_bgr and not way.bgr else v for v in (way.mean, way.std))
        if preprocessing is None:
            remedy = f"prepare them as {way.formula}"
        else:
            channels = "BGR" if turned else preprocessing.channels
            remedy = _said(replace(preprocessing, scale=way.scale, mean=mean, std=std, channels=channels))

        def apply(
            array: np.ndarray,
            scale: float = way.scale,
            mean: tuple[float, ...] = mean,
            std: tuple[float, ...] = std,
            turned: bool = turned,
        ) -> np.ndarray:
            planes = pixels(image.planes(array).astype(np.float64))
            planes = planes[::-1] if turned else planes
            shape = (-1, 1, 1)
            done = (planes * scale - np.reshape(mean, shape)) / np.reshape(std, shape)
            return image.of_planes(done).astype(array.dtype)

        yield Alternative(way.words, remedy, image.index, apply)


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
        means, stds = (_MEAN, _STD) if image.channels == 3 else _MNIST
        return lambda p: 255 * (p * np.reshape(stds, shape) + np.reshape(means, shape))
    return None


def _scaled(index: int, values: np.ndarray, preprocessing: Preprocessing | None) -> Iterator[Alternative]:
    mean, std = float(values.mean()), float(values.std())

    def way(words: str, formula: str, less: float, by: float) -> Alternative:
        remedy = (
            f"prepare them as {formula}"
            if preprocessing is None
            else _said(_changed(preprocessing, less, by))
        )
        return Alternative(
            words, remedy, index, lambda a: ((a - less) / by).astype(a.dtype), fitted=less != 0
        )

    yield way("every value 255 times smaller", "x / 255", 0.0, 255.0)
    yield way("every value 255 times larger", "x * 255", 0.0, 1 / 255)
    if std > 0:
        yield way(
            "mean 0 and std 1", f"(x {'-' if mean >= 0 else '+'} {abs(mean):.4g}) / {std:.4g}", mean, std
        )


def _changed(p: Preprocessing, less: float, by: float) -> Preprocessing:
    """The preprocessing that yields (value - less) / by."""
    count = max(len(p.mean), len(p.std))
    means, stds = (v * count if len(v) == 1 else v for v in (p.mean, p.std))
    mean = tuple(m + s * less for m, s in zip(means, stds, strict=True))
    return replace(p, mean=mean, std=tuple(s * by for s in stds))


def _inverted(
    image: ImageInput, values: np.ndarray, preprocessing: Preprocessing | None
) -> Iterator[Alternative]:
    """Drawings are white on black, or black on white; photographs are never stored so."""
    if image.channels != 1:
        return
    ends = float(values.min()) + float(values.max())
    yield Alternative(
        "black and white exchanged",
        f"invert them: {ends:.4g} - x" if preprocessing is None else "invert the images: 255 - pixel",
        image.index,
        lambda a: (ends - a).astype(a.dtype),
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
