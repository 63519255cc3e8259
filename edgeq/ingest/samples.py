"""Samples of a model's input, one at a time, from any source: an .npz, a folder, a function of the user's."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edgeq.errors import DataRefused
from edgeq.ingest.folder import load_npy, open_folder, sample_files
from edgeq.ingest.generator import first_sample, open_generator
from edgeq.ingest.given_data import GivenData
from edgeq.ingest.image import preprocess
from edgeq.ingest.labels import class_numbers
from edgeq.ingest.match_inputs import is_float_for_integers, match_inputs, matching_arrays
from edgeq.ingest.npz import Shapes, load_arrays, of_arrays, one_array_each
from edgeq.ingest.stored import ClassFolders, Stored
from edgeq.nouns.record import digest_of
from edgeq.nouns.tensor import Preprocessing, TensorSpec
from edgeq.user_code import names_code

TAKES = "--data takes an .npz, a folder of images or .npy files with --preprocess, or file.py:function"


@dataclass(frozen=True)
class Samples:
    """`samples[i]` is sample i: one array per input of the model, in its order, of the input's full shape and type.

    Arrays are read and preprocessed when asked for. `indices` are the samples of `stored` that belong to this part.
    """

    stored: Stored
    inputs: tuple[TensorSpec, ...]
    preprocessing: Preprocessing | None
    indices: tuple[int, ...]

    @property
    def count(self) -> int:
        return len(self.indices)

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, i: int) -> tuple[np.ndarray, ...]:
        at = self.indices[i]
        name = self.stored.name(at)
        arrays = match_inputs(_preprocessed(self.stored, at, self.preprocessing), self.inputs, name)
        for spec, array in zip(self.inputs, arrays, strict=True):
            if array.dtype.kind == "f" and not np.isfinite(array).all() and not _is_a_mask(array):
                raise DataRefused(
                    f"{name}: {spec.name} holds NaN or infinite values",
                    "remove such samples: they can neither calibrate nor judge",
                )
        return arrays

    def __iter__(self) -> Iterator[tuple[np.ndarray, ...]]:
        return (self[i] for i in range(len(self)))

    @property
    def labels(self) -> np.ndarray | None:
        """int64 class numbers, one per sample; None without labels, or where they are no class numbers (see `truth`)."""
        numbers = class_numbers(self.stored.truth)
        return None if numbers is None else numbers[list(self.indices)]

    @property
    def truth(self) -> np.ndarray | None:
        """Whatever `labels` holds, first axis = samples: what a --metric of the user's own gets."""
        return None if self.stored.truth is None else self.stored.truth[list(self.indices)]

    @property
    def keys(self) -> tuple[str, ...]:
        """sha256 of each sample's own bytes and label."""
        return tuple(self.stored.keys[i] for i in self.indices)

    @property
    def sha256(self) -> str:
        """Of the contents and their preprocessing; file times and places do not matter."""
        preprocessing = self.preprocessing.to_dict() if self.preprocessing else None
        return digest_of({"samples": list(self.keys), "preprocessing": preprocessing})

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user might not expect of how these are read: class folders, arrays that go unused, floats for integers."""
        first = _preprocessed(self.stored, self.indices[0], self.preprocessing)
        chosen = matching_arrays(first, self.inputs, self.stored.name(self.indices[0]))
        likely = self.stored.likely_labels.partition(" ")[0]  # its own words say what it is
        unused = [name for name in first if name not in chosen and name != likely]
        notes = [_of_folders(self.stored.folders)] if self.stored.folders else []
        if unused:
            more = f"arrays {', '.join(unused)} are" if len(unused) > 1 else f"array {unused[0]} is"
            notes.append(f"{more} neither a model input nor named labels: not used")
        for key, spec in zip(chosen, self.inputs, strict=True):
            if is_float_for_integers(np.asarray(first[key]), spec):
                notes.append(f"the samples are floats: quantized for {spec.name}, {spec.affine}")
        return tuple(notes)

    def without_labels(self) -> "Samples":
        return replace(self, stored=replace(self.stored, truth=None))

    def take(self, positions: Sequence[int]) -> "Samples":
        """The samples at `positions` of this part."""
        return replace(self, indices=tuple(self.indices[p] for p in positions))


def _is_a_mask(array: np.ndarray) -> bool:
    """Whether it is added to what an attention scores: minus infinity hides, and what is not hidden loses or stays."""
    return bool((array <= 0).all() and np.isfinite(array).any())


def _of_folders(folders: ClassFolders) -> str:
    how = "numbered in the order of their names" if folders.by_name else "named by class number"
    return f"class folders, {how}: {folders}"


def open_samples(
    spec: str | GivenData, *, inputs: tuple[TensorSpec, ...], preprocessing: Preprocessing | None = None
) -> Samples:
    """Raises DataRefused: what does not exist, cannot be read, or does not fit the inputs (the first sample is tried)."""
    # Pixels have the size of the image, not of the input, so input shapes say nothing about arrays of pixels.
    shapes = {i.name: i.shape for i in inputs} if preprocessing is None else {}
    names = tuple(i.name for i in inputs)
    if isinstance(spec, GivenData):
        stored = spec.open_for(names, shapes)
    else:
        stored = open_generator(spec, names) if _is_function(spec) else _open_path(Path(spec), names, shapes)
    samples = Samples(stored, inputs, preprocessing, tuple(range(len(stored.keys))))
    try:
        samples[0]
    except DataRefused as error:
        if not stored.likely_labels:
            raise
        raise DataRefused(error.what, error.remedy, details=(*error.details, stored.likely_labels)) from None
    return samples


def peek(spec: str | GivenData, preprocessing: Preprocessing | None) -> tuple[np.ndarray, ...]:
    """The first sample as it is stored (preprocessed if so wanted), before the model is known: it tells the shapes
    that a model leaves open. Raises DataRefused as `open_samples` does."""
    if isinstance(spec, GivenData):
        given = spec.first()
        stored = Stored(spec.words, ("",), lambda _: given, images=spec.images)
    elif _is_function(spec):
        sample = first_sample(spec)
        stored = Stored(spec, ("",), lambda _: sample)
    else:
        stored = _open_path(Path(spec), (), None)
    return tuple(np.asarray(array) for array in _preprocessed(stored, 0, preprocessing).values())


def how_many(spec: str | GivenData) -> int | None:
    """Samples, as far as that can be told before the model is known; None for a function. Raises DataRefused."""
    if isinstance(spec, GivenData):
        return spec.how_many()
    path = Path(spec)
    return len(sample_files(path)) if path.is_dir() else None


def may_differ(spec: str | GivenData, preprocessing: Preprocessing | None) -> bool:
    """Whether samples can have several shapes at all, in a form of data that holds each by itself."""
    if isinstance(spec, GivenData):
        return spec.may_differ
    path = Path(spec)
    if _is_function(spec):
        return True
    if path.is_dir():
        return preprocessing is None or preprocessing.size is None
    return path.suffix.lower() == ".npz" and one_array_each(load_arrays(path))


def _preprocessed(stored: Stored, at: int, preprocessing: Preprocessing | None) -> Mapping[str, np.ndarray]:
    sample = stored.read(at)
    if preprocessing is not None:
        return {key: preprocess(array, preprocessing, stored.name(at)) for key, array in sample.items()}
    if stored.images:
        raise DataRefused(
            f"{stored.where} holds images, but no preprocessing is given",
            "add --preprocess, for example --preprocess imagenet, or --preprocess none for raw pixels 0..255",
        )
    return sample


def _open_path(path: Path, names: tuple[str, ...], shapes: Shapes | None) -> Stored:
    if path.is_dir():
        return open_folder(path)
    if path.suffix.lower() == ".npz":
        return of_arrays(path, load_arrays(path), shapes)
    if path.suffix.lower() == ".npy":
        return of_arrays(path, {names[0] if len(names) == 1 else "": load_npy(path)}, shapes)
    raise DataRefused(
        f"{path} is not data that edgeq can read" if path.exists() else f"there is no {path}", TAKES
    )


def _is_function(spec: str) -> bool:
    return names_code(spec) and not Path(spec).exists()
