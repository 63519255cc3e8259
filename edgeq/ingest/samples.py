"""Samples of a model's input, one at a time, wherever they come from: an .npz, a folder, a function of the user's."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edgeq.errors import DataRefused
from edgeq.ingest.fit import fitted
from edgeq.ingest.folder import load_npy, open_folder
from edgeq.ingest.generator import first_sample, open_generator
from edgeq.ingest.image import apply
from edgeq.ingest.npz import Shapes, load_arrays, of_arrays
from edgeq.ingest.stored import Stored
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
        arrays = fitted(_prepared(self.stored, at, self.preprocessing), self.inputs, name)
        for spec, array in zip(self.inputs, arrays, strict=True):
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise DataRefused(
                    f"{name}: {spec.name} holds NaN or infinite values",
                    "no range can be found from these and nothing judged by them: leave such samples out",
                )
        return arrays

    def __iter__(self) -> Iterator[tuple[np.ndarray, ...]]:
        return (self[i] for i in range(len(self)))

    @property
    def labels(self) -> np.ndarray | None:
        """int64 class numbers, one per sample; None without labels, or where they are no class numbers (see `truth`).

        Whole numbers stored as floats are class numbers too: much that writes arrays knows no other type.
        """
        truth = self.truth
        if truth is None or truth.ndim != 1 or truth.dtype.kind not in "biuf":
            return None
        if truth.dtype.kind == "f" and not (np.isfinite(truth) & (truth == np.trunc(truth))).all():
            return None
        return truth.astype(np.int64)

    @property
    def truth(self) -> np.ndarray | None:
        """Whatever `labels` holds, first axis = samples: what a --metric of the user's own is given."""
        return None if self.stored.truth is None else self.stored.truth[list(self.indices)]

    @property
    def keys(self) -> tuple[str, ...]:
        """sha256 of each sample's own bytes and label."""
        return tuple(self.stored.keys[i] for i in self.indices)

    @property
    def sha256(self) -> str:
        """Of the contents and their preprocessing; file times and places do not matter."""
        contract = self.preprocessing.to_dict() if self.preprocessing else None
        return digest_of({"samples": list(self.keys), "preprocessing": contract})

    def take(self, positions: Sequence[int]) -> "Samples":
        """The samples at `positions` of this part."""
        return replace(self, indices=tuple(self.indices[p] for p in positions))


def open_samples(
    spec: str, *, inputs: tuple[TensorSpec, ...], preprocessing: Preprocessing | None = None
) -> Samples:
    """Raises DataRefused: what does not exist, cannot be read, or does not fit the inputs (the first sample is tried)."""
    # Pixels have the size of the image, not of the input, so input shapes say nothing about arrays of pixels.
    shapes = {i.name: i.shape for i in inputs} if preprocessing is None else {}
    stored = open_generator(spec) if _is_function(spec) else _open_path(Path(spec), shapes)
    samples = Samples(stored, inputs, preprocessing, tuple(range(len(stored.keys))))
    samples[0]
    return samples


def peek(spec: str, preprocessing: Preprocessing | None) -> tuple[np.ndarray, ...]:
    """The first sample as it is stored (preprocessed if so wanted), before the model is known: it tells the shapes
    that a model leaves open. Raises DataRefused as `open_samples` does."""
    if _is_function(spec):
        sample = first_sample(spec)
        stored = Stored(spec, ("",), lambda _: sample)
    else:
        stored = _open_path(Path(spec), {})
    return tuple(np.asarray(array) for array in _prepared(stored, 0, preprocessing).values())


def _prepared(stored: Stored, at: int, preprocessing: Preprocessing | None) -> Mapping[str, np.ndarray]:
    sample = stored.read(at)
    if preprocessing is not None:
        return {key: apply(array, preprocessing, stored.name(at)) for key, array in sample.items()}
    if stored.images:
        raise DataRefused(
            f"{stored.where} holds images, and how they become the model's input is not said",
            "add --preprocess, for example --preprocess imagenet, or --preprocess none for raw pixels 0..255",
        )
    return sample


def _open_path(path: Path, shapes: Shapes) -> Stored:
    if path.is_dir():
        return open_folder(path)
    if path.suffix.lower() == ".npz":
        return of_arrays(path, load_arrays(path), shapes)
    if path.suffix.lower() == ".npy":
        return of_arrays(
            path, {"": load_npy(path)}, {"": next(iter(shapes.values()))} if len(shapes) == 1 else {}
        )
    raise DataRefused(
        f"{path} is no data that edgeq reads" if path.exists() else f"there is no {path}", TAKES
    )


def _is_function(spec: str) -> bool:
    return names_code(spec) and not Path(spec).exists()
