"""What quantization needs of a set of samples, however they were read."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.generic]


class SamplesLike(Protocol):
    """`samples[i]` holds one array per model input, in input order and with the input's full shape (batch included).

    `labels` is an integer array of shape [count], or None; `truth` is whatever came as labels, its first axis the
    samples, for a metric of the user's own; `sha256` names the samples by content.
    """

    @property
    def count(self) -> int: ...

    @property
    def labels(self) -> "npt.NDArray[np.integer] | None": ...

    @property
    def truth(self) -> Array | None: ...

    @property
    def sha256(self) -> str: ...

    def __getitem__(self, i: int) -> tuple[Array, ...]: ...


@dataclass(frozen=True)
class Subset:
    """The samples at `positions` of a set, without their labels."""

    samples: SamplesLike
    positions: tuple[int, ...]

    @property
    def count(self) -> int:
        return len(self.positions)

    @property
    def labels(self) -> None:
        return None

    @property
    def truth(self) -> None:
        return None

    @property
    def sha256(self) -> str:
        return self.samples.sha256

    def __getitem__(self, i: int) -> tuple[Array, ...]:
        return self.samples[self.positions[i]]

    def every(self, step: int, first: int = 0) -> "Subset":
        return Subset(self.samples, self.positions[first::step])


def shapes_of(samples: SamplesLike) -> Iterator[tuple[tuple[int, ...], ...]]:
    """Of each sample's inputs."""
    return (tuple(array.shape for array in samples[i]) for i in range(samples.count))


def evenly_spaced(samples: SamplesLike, most: int) -> Subset:
    """Up to `most` of the samples, from the first to the last."""
    positions = tuple(int(i) for i in np.linspace(0, samples.count - 1, min(samples.count, most)))
    if isinstance(samples, Subset):  # positions are those of the whole set
        return Subset(samples.samples, tuple(samples.positions[i] for i in positions))
    return Subset(samples, positions)
