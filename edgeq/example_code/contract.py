"""What the examples need of a contract.json. Reads one that a device or a bundle gave; keys that it does not know are let be."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from edgeq.nouns.json_text import parse_json
from edgeq.nouns.tensor import Affine, Preprocessing

LARGEST = 1 << 20  # bytes; a model with a hundred inputs has 20,000
_OPEN = 1 << 31
_INTEGERS = tuple(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))
_DTYPES = frozenset(("float16", "float32", "float64", "bool", *_INTEGERS))


class NoExample(ValueError):
    """Why no program can be written from this contract, in one line."""


@dataclass(frozen=True)
class Tensor:
    """`name` is the model file's own, `called` that of the model as it was given; a dimension is None where it is open.
    `classes` are the names of the classes that an output scores, empty where they are not known.
    """

    name: str
    called: str
    dtype: str
    shape: tuple[int | None, ...]
    affine: Affine | None = None
    classes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Contract:
    app: str
    candidate: str
    model: str
    runtime: str
    threads: int
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    preprocessing: Preprocessing | None

    @property
    def takes_image(self) -> bool:
        """Whether an image, preprocessed to float32, is the input; a model with several inputs takes arrays."""
        first, *more = self.inputs
        takes_reals = first.dtype == "float32" or first.affine is not None
        return self.preprocessing is not None and not more and len(first.shape) == 4 and takes_reals


def read_contract(content: bytes) -> Contract:
    """Raises NoExample for what is no contract."""
    try:
        return contract_of(parse_json(content, LARGEST))
    except ValueError as error:
        raise NoExample(str(error)) from None


def contract_of(raw: object) -> Contract:
    """Of the JSON object in a contract.json. Raises NoExample for what is none."""
    try:
        if not isinstance(raw, dict):
            raise ValueError("it is no object")
        preprocessing = raw.get("preprocessing")
        return Contract(
            app=_text(raw, "app"),
            candidate=_text(raw, "candidate"),
            model=_text(raw, "model"),
            runtime=_text(raw, "runtime"),
            threads=_threads(raw.get("threads")),
            inputs=_tensors(raw, "inputs"),
            outputs=_tensors(raw, "outputs"),
            preprocessing=None if preprocessing is None else _usable(Preprocessing.from_dict(preprocessing)),
        )
    except ValueError as error:
        raise NoExample(f"contract.json cannot be used: {error}") from None


def _text(raw: Mapping[str, object], key: str) -> str:
    value = raw.get(key)
    if not isinstance(value, str) or not value:
        raise ValueError(f"{key!r} is no text")
    return value


def _threads(value: object) -> int:
    if not isinstance(value, int) or not 0 < value < 1024:
        raise ValueError("'threads' is no number of threads")
    return value


def _tensors(raw: Mapping[str, object], side: str) -> tuple[Tensor, ...]:
    tensors = raw.get(side)
    if not isinstance(tensors, list) or not tensors:
        raise ValueError(f"{side!r} is no list of tensors")
    return tuple(_tensor(item, side) for item in tensors)


def _tensor(raw: object, side: str) -> Tensor:
    if not isinstance(raw, dict):
        raise ValueError(f"{side!r} is no list of tensors")
    name, dtype, shape, affine = _text(raw, "name"), raw.get("dtype"), raw.get("shape"), raw.get("affine")
    if dtype not in _DTYPES:
        raise ValueError(f"{side!r} has the element type {dtype!r}, which no example is written for")
    if not isinstance(shape, list) or not all(d is None or (type(d) is int and 0 < d < _OPEN) for d in shape):
        raise ValueError(f"{side!r} has a shape that is none")
    called = raw.get("source_name")
    return Tensor(
        name=name,
        called=called if isinstance(called, str) and called else name,
        dtype=dtype,
        shape=tuple(shape),
        affine=None if affine is None else _finite(Affine.from_dict(affine)),
        classes=_classes(raw.get("classes"), shape),
    )


def _classes(names: object, shape: list[int | None]) -> tuple[str, ...]:
    if names is None:
        return ()
    if (
        not isinstance(names, list)
        or not all(isinstance(n, str) for n in names)
        or shape[-1:] != [len(names)]
    ):
        raise ValueError("'classes' has not one name for each score")
    return tuple(names)


def _finite(affine: Affine) -> Affine:
    if not math.isfinite(affine.scale) or affine.scale <= 0:
        raise ValueError("a scale is no positive number")
    return affine


def _usable(preprocessing: Preprocessing) -> Preprocessing:
    count = channels(preprocessing)
    if preprocessing.layout not in ("NCHW", "NHWC") or preprocessing.channels not in ("RGB", "BGR", "GRAY"):
        raise ValueError("'preprocessing' has an unknown layout or order of channels")
    if preprocessing.resize not in ("stretch", "short_side", "none"):
        raise ValueError("'preprocessing' has an unknown way to resize")
    if any(len(values) not in (1, count) for values in (preprocessing.mean, preprocessing.std)):
        raise ValueError("'preprocessing' has not one mean and std per channel")
    if 0.0 in preprocessing.std or (preprocessing.size and min(preprocessing.size) < 1):
        raise ValueError("'preprocessing' has a std or a size of 0")
    return preprocessing


def channels(preprocessing: Preprocessing) -> int:
    return 1 if preprocessing.channels == "GRAY" else 3


def per_channel(values: tuple[float, ...], preprocessing: Preprocessing) -> tuple[float, ...]:
    """One value for each channel, also where one stands for all."""
    count = channels(preprocessing)
    return values if len(values) == count else values * count


def resizing(preprocessing: Preprocessing) -> str:
    """In words, for a comment."""
    if preprocessing.size is None:
        return "it must already have the model's size"
    size = height_by_width(preprocessing.size)
    if preprocessing.resize == "stretch":
        return f"resized here to {size}"
    if preprocessing.resize == "short_side":
        short = preprocessing.short_side or min(preprocessing.size)
        return f"resized here so that its short side is {short} pixels, then the middle {size} are taken"
    return f"the middle {size} are taken"


def height_by_width(size: tuple[int, int]) -> str:
    """48x48, and where the order counts 48x64 (height x width)."""
    height, width = size
    return f"{height}x{width}" + ("" if height == width else " (height x width)")
