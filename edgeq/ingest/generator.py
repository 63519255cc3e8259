"""Samples from the user's own function, `file.py:function`: run once and stored on disk, so that they can be read again."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from edgeq.errors import DataRefused
from edgeq.ingest.labels import KEYS, stacked
from edgeq.ingest.npz import sample_key
from edgeq.ingest.spool import Spool
from edgeq.ingest.stored import Stored
from edgeq.user_code import load_attribute, place_of

# More than any calibration needs; a generator that never ends is refused instead of filling the disk.
MOST = 20_000


def open_generator(spec: str, inputs: tuple[str, ...]) -> Stored:
    """What the function yields, one sample each time, of a model with `inputs` (names):

    an array, a tuple of arrays in input order, or a dict by input name; (sample, label) around any of these, a tuple
    with a label as one array more, or a dict with "labels". A label is a class number or any array of numbers.
    Raises DataRefused with the function's own error, or for more than MOST samples.
    """
    return stored_samples(spec, _samples(spec, inputs))


def stored_samples(
    where: str, samples: Iterable[tuple[Mapping[str, np.ndarray], np.ndarray | None]]
) -> Stored:
    """Pairs of sample and label, read once and kept on disk. Raises DataRefused for none, too many, and labels here and there."""
    spool = Spool()
    keys: list[str] = []
    labels: list[np.ndarray] = []
    shapes: set[tuple[tuple[int, ...], ...]] = set()
    for sample, label in samples:
        if len(keys) == MOST:
            raise DataRefused(f"{where} yields more than {MOST:,} samples", "limit the number of samples")
        keys.append(sample_key(sample, label))
        labels += [] if label is None else [label]
        if labels and len(labels) != len(keys):
            raise DataRefused(
                f"{where} yields labels with some samples only", "yield (sample, label) always, or never"
            )
        spool.add(sample)
        shapes.add(tuple(array.shape for array in sample.values()))
    if not keys:
        raise DataRefused(f"{where} yields no samples")
    if len(shapes) > 1 and all(len(shape) == 1 for shape in shapes):
        keys = [_nameless_key(spool.read(i), labels[i] if labels else None) for i in range(len(keys))]
    return Stored(where, tuple(keys), spool.read, stacked(labels) if labels else None)


def _nameless_key(sample: Mapping[str, np.ndarray], label: np.ndarray | None) -> str:
    """Of single arrays of several shapes, which an .npz holds one by one and without the input's name."""
    (array,) = sample.values()
    return sample_key({"": array}, label)


def first_sample(spec: str) -> Mapping[str, np.ndarray]:
    """Runs the function up to its first sample, before the model is known: what follows its inputs may be a label."""
    for sample, _ in _samples(spec, ()):
        return sample
    raise DataRefused(f"{spec} yields no samples")


def _samples(spec: str, inputs: tuple[str, ...]) -> Iterable[tuple[dict[str, np.ndarray], np.ndarray | None]]:
    function = load_attribute(spec, DataRefused)
    if not callable(function):
        raise DataRefused(f"{spec} is not a function", "name a function that yields samples")
    try:
        for item in _call(function):
            sample, label = parted(item, inputs)
            yield (
                by_name(sample, spec, inputs),
                None if label is None else array_of(label, f"{spec} yields a label of"),
            )
    except DataRefused:
        raise
    except Exception as error:
        raise DataRefused(
            f"{spec} failed: {type(error).__name__}: {error}",
            "run it by itself to find out why",
            details=place_of(error),
        ) from error


def _call(function: Callable[[], object]) -> Iterable[object]:
    result = function()
    if not isinstance(result, Iterable):
        raise TypeError(f"it returned {type(result).__name__}, expected an iterable of samples")
    if inspect.isgenerator(result) or not isinstance(result, np.ndarray):
        return result
    return iter(result)


def parted(item: object, inputs: tuple[str, ...]) -> tuple[Any, Any]:
    """The sample and its label, which is None where there is none."""
    if isinstance(item, tuple) and len(item) == 2 and _has_label(item, inputs):
        return item
    if isinstance(item, tuple) and inputs and len(item) == len(inputs) + 1:
        return item[:-1], item[-1]
    if isinstance(item, Mapping):
        named = {str(k): v for k, v in item.items()}
        found = [named.pop(key) for key in KEYS if key in named and key not in inputs]
        return named, found[0] if found else None
    return item, None


def _has_label(pair: tuple[object, object], inputs: tuple[str, ...]) -> bool:
    """Whether a pair is (sample, label) and not the sample of a model with two inputs."""
    sample, label = pair
    return (
        isinstance(sample, (Mapping, tuple))
        or len(inputs) == 1
        or (_is_number(label) and not _is_number(sample))
    )


def _is_number(value: object) -> bool:
    """A plain integer. An integer *array* without dimensions is an input (a sample rate, say), not a label."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def by_name(sample: object, spec: str, inputs: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Arrays without names get those of the `inputs` in order, where there is one for each: a sample is identified by its
    names too, and an .npz or a dict names the same arrays so.
    """
    said = f"{spec} yields"
    if isinstance(sample, Mapping):
        return {str(k): array_of(v, f"{said} {k!r} as") for k, v in sample.items()}
    if isinstance(sample, (tuple, list)):
        names = inputs if len(sample) == len(inputs) else map(str, range(len(sample)))
        return {name: array_of(v, said) for name, v in zip(names, sample, strict=True)}
    return {inputs[0] if len(inputs) == 1 else "": array_of(sample, said)}


def array_of(value: object, said: str) -> np.ndarray:
    if hasattr(value, "detach"):  # a torch tensor
        value = value.detach().cpu().numpy()
    try:
        array = np.asarray(value)
    except ValueError:  # rows of different lengths
        array = np.empty((), dtype=object)
    if array.dtype.kind not in "fiubc":
        raise DataRefused(
            f"{said} {type(value).__name__}, expected arrays of numbers",
            "a function yields a sample, or (sample, label); a sample is an array, a tuple of arrays in the order of "
            "the model's inputs, or a dict by their names, and a label a class number or an array",
        )
    return array
