"""Samples from the user's own function, `file.py:function`: run once, kept on disk, so that they can be read again."""

import inspect
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from edgeq.errors import DataRefused
from edgeq.ingest.npz import LABELS, sample_key
from edgeq.ingest.stored import Stored
from edgeq.user_code import load_attribute, place_of

# More than any calibration needs; a generator that never ends is told so instead of filling the disk.
MOST = 20_000


def open_generator(spec: str) -> Stored:
    """What the function yields: an array, a tuple of arrays in input order, a dict by input name, or (sample, label)
    with an integer label. Raises DataRefused with the function's own error, or for more than MOST samples."""
    spool = _Spool()
    keys: list[str] = []
    labels: list[int | None] = []
    for sample, label in _samples(spec):
        if len(keys) == MOST:
            raise DataRefused(f"{spec} yields more than {MOST:,} samples", "let it end earlier")
        keys.append(sample_key(sample, label))
        labels.append(label)
        spool.add(sample)
    if not keys:
        raise DataRefused(f"{spec} yields no samples")
    if None in labels and any(v is not None for v in labels):
        raise DataRefused(
            f"{spec} yields labels with some samples only", "yield (sample, label) always, or never"
        )
    truth = None if labels[0] is None else np.array(labels, dtype=np.int64)
    return Stored(spec, tuple(keys), spool.read, truth)


def first_sample(spec: str) -> Mapping[str, np.ndarray]:
    """Runs the function up to its first sample."""
    for sample, _ in _samples(spec):
        return sample
    raise DataRefused(f"{spec} yields no samples")


def _samples(spec: str) -> Iterable[tuple[dict[str, np.ndarray], int | None]]:
    function = load_attribute(spec, DataRefused)
    if not callable(function):
        raise DataRefused(f"{spec} is not a function", "name a function that yields samples")
    try:
        for item in _call(function):
            yield _understood(item, spec)
    except DataRefused:
        raise
    except Exception as error:
        raise DataRefused(
            f"{spec} failed: {type(error).__name__}: {error}",
            "run it by itself to find out why",
            details=place_of(error),
        ) from error


def _call(function: Callable[..., Any]) -> Iterable[Any]:
    result = function()
    if not isinstance(result, Iterable):
        raise TypeError(f"it returned {type(result).__name__}, expected an iterable of samples")
    if inspect.isgenerator(result) or not isinstance(result, np.ndarray):
        return result
    return iter(result)


def _understood(item: Any, spec: str) -> tuple[dict[str, np.ndarray], int | None]:
    label: int | None = None
    if isinstance(item, tuple) and len(item) == 2 and _is_label(item[1]) and not _is_label(item[0]):
        item, label = item[0], int(item[1])
    if isinstance(item, Mapping):
        named = dict(item)
        if label is None and LABELS not in named and "label" in named and _is_label(named["label"]):
            label = int(named.pop("label"))
        return {str(k): _array(v, spec) for k, v in named.items()}, label
    if isinstance(item, (tuple, list)):
        return {str(i): _array(v, spec) for i, v in enumerate(item)}, label
    return {"": _array(item, spec)}, label


def _is_label(value: Any) -> bool:
    """A plain integer. An integer *array* without dimensions is an input (a sample rate, say), not a label."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def _array(value: Any, spec: str) -> np.ndarray:
    if hasattr(value, "detach"):  # a torch tensor
        value = value.detach().cpu().numpy()
    array = np.asarray(value)
    if array.dtype.kind not in "fiubc":
        raise DataRefused(f"{spec} yields {type(value).__name__}, expected arrays of numbers")
    return array


class _Spool:
    """Samples on disk, gone with the last reference: calibrating must not need memory for all of them."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="edgeq-samples-")
        self._names: list[tuple[str, ...]] = []

    def add(self, sample: Mapping[str, np.ndarray]) -> None:
        np.savez(self._file(len(self._names)), *sample.values())
        self._names.append(tuple(sample))

    def read(self, i: int) -> dict[str, np.ndarray]:
        with np.load(self._file(i), allow_pickle=False) as archive:
            return {name: archive[f"arr_{k}"] for k, name in enumerate(self._names[i])}

    def _file(self, i: int) -> Path:
        return Path(self._folder.name) / f"{i}.npz"
