"""Mini-batches of a sample set: shuffled by (seed, epoch), the same again from any (epoch, step) on.

Samples are read one by one, as arrays with a batch of 1 in front. Where all of them take less than a quarter of the free
memory they are read once and kept, else each is read for every batch that it is in.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from edgeq.errors import DataRefused
from edgeq.limited.limits import free_memory
from edgeq.train.augment import UNCHANGED, Augmentation
from edgeq.train.held_out import SHARE, Positions, held_out

Progress = Callable[[str, float], None]

_OF_FREE_MEMORY = 0.25
_ORDER, _CHANGES = 0, 1  # two streams of random numbers for one seed and epoch


class SamplesLike(Protocol):
    """What training needs of a sample set: of edgeq/quantize/samples.py, this part."""

    @property
    def count(self) -> int: ...

    @property
    def labels(self) -> "npt.NDArray[np.integer] | None": ...

    def __getitem__(self, i: int) -> tuple[npt.NDArray[np.generic], ...]: ...


@dataclass(frozen=True)
class Batch:
    """`inputs`: one tensor [N, ...] per input of the model; `labels`: int64 [N], None where the set has none. `positions` [N]
    are those of the samples in the set, for what is kept for each of them.
    """

    inputs: tuple[Tensor, ...]
    labels: Tensor | None
    positions: Positions


class Stored:
    """The inputs of samples by their positions, from memory where `kept`, else read anew."""

    def __init__(
        self,
        samples: SamplesLike,
        *,
        free_bytes: int | None = None,
        progress: Progress = lambda stage, done: None,
    ) -> None:
        """`free_bytes`: default what this process can allocate. Raises DataRefused for samples that make no batch."""
        self._samples = samples
        self._first = samples[0]
        for array in self._first:
            if array.ndim == 0 or array.shape[0] != 1:
                raise DataRefused(
                    f"training takes samples with a batch of 1 in front; sample 0 has the shape {_shape(array)}",
                    "give the model's input a first dimension of 1, or one that is open",
                )
        self.bytes = samples.count * sum(array.nbytes for array in self._first)
        free = free_memory() if free_bytes is None else free_bytes
        self._kept = self._read_all(progress) if self.bytes < _OF_FREE_MEMORY * free else None

    @property
    def kept(self) -> bool:
        return self._kept is not None

    def at(self, positions: Positions) -> tuple[Tensor, ...]:
        """[N, ...] each. Raises DataRefused for a sample of another shape or type than the first."""
        if self._kept is not None:
            chosen = torch.from_numpy(positions)
            return tuple(tensor.index_select(0, chosen) for tensor in self._kept)
        room = self._room(len(positions))
        for place, position in enumerate(positions):
            self._put(room, place, int(position))
        return tuple(map(torch.from_numpy, room))

    def _read_all(self, progress: Progress) -> tuple[Tensor, ...]:
        count = self._samples.count
        room = self._room(count)
        for i in range(count):
            self._put(room, i, i)
            progress("read samples", (i + 1) / count)
        return tuple(map(torch.from_numpy, room))

    def _room(self, count: int) -> list[npt.NDArray[np.generic]]:
        return [np.empty((count, *array.shape[1:]), array.dtype) for array in self._first]

    def _put(self, room: list[npt.NDArray[np.generic]], place: int, position: int) -> None:
        sample = self._first if position == 0 else self._samples[position]
        for whole, array, first in zip(room, sample, self._first, strict=True):
            if (array.shape, array.dtype) != (first.shape, first.dtype):
                raise DataRefused(
                    f"sample {position} is {array.dtype} of shape {_shape(array)}, sample 0 {first.dtype} of "
                    f"{_shape(first)}: training takes samples of one shape",
                    "resize them (--preprocess size=...), or pad them to one length",
                )
            whole[place] = array[0]


@dataclass(frozen=True)
class Batches:
    """Mini-batches of the samples at `positions`, of `size` samples each, on `device`."""

    stored: Stored
    labels: "npt.NDArray[np.integer] | None"
    positions: Positions
    size: int
    seed: int = 0
    augmentation: Augmentation = UNCHANGED
    device: str = "cpu"

    @property
    def count(self) -> int:
        return len(self.positions)

    @property
    def steps(self) -> int:
        """Of an epoch. What is left when the last full batch was taken waits for another epoch: a batch of few samples would
        move the weights as far as a full one. Fewer samples than `size` are one batch.
        """
        return max(self.count // self.size, 1)

    def epoch(self, epoch: int, first_step: int = 0) -> Iterator[Batch]:
        """The batches of `epoch` (from 0), from `first_step` on: the same whatever was asked for before."""
        order = np.random.default_rng([self.seed, epoch, _ORDER]).permutation(self.positions)
        for step in range(first_step, self.steps):
            batch = self._batch(order[step * self.size : (step + 1) * self.size])
            if not self.augmentation.changes:
                yield batch
                continue
            random = np.random.default_rng([self.seed, epoch, _CHANGES, step])
            yield Batch(self.augmentation(batch.inputs, random), batch.labels, batch.positions)

    def in_order(self) -> Iterator[Batch]:
        """All samples once, by their positions and as they are: to judge by. The last batch may be smaller."""
        for start in range(0, self.count, self.size):
            yield self._batch(self.positions[start : start + self.size])

    def _batch(self, positions: Positions) -> Batch:
        inputs = tuple(tensor.to(self.device) for tensor in self.stored.at(positions))
        if self.labels is None:
            return Batch(inputs, None, positions)
        labels = torch.from_numpy(self.labels[positions].astype(np.int64)).to(self.device)
        return Batch(inputs, labels, positions)


@dataclass(frozen=True)
class TrainingData:
    """`validation` is never trained on, and never augmented."""

    train: Batches
    validation: Batches


def training_data(
    samples: SamplesLike,
    *,
    size: int = 128,
    seed: int = 0,
    augmentation: Augmentation = UNCHANGED,
    device: str = "cpu",
    validation: float = SHARE,
    free_bytes: int | None = None,
    progress: Progress = lambda stage, done: None,
) -> TrainingData:
    """The set split (held_out.py) and read once for both parts. `size`: samples in a mini-batch; `validation`: the share that is
    held out. Raises DataRefused for samples that make no batch.
    """
    if size < 1:
        raise ValueError(f"the size of a mini-batch is {size}: expected 1 or more")
    labels = samples.labels
    split = held_out(samples.count, labels, validation)
    stored = Stored(samples, free_bytes=free_bytes, progress=progress)
    return TrainingData(
        Batches(stored, labels, split.train, size, seed, augmentation, device),
        Batches(stored, labels, split.validation, size, seed, device=device),
    )


def _shape(array: npt.NDArray[np.generic]) -> str:
    return "x".join(map(str, array.shape)) or "scalar"
