"""What quantization needs of a set of samples, however they were read."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.generic]

# Samples that are split: a quarter of 256 tells candidates apart by tenths of a decibel; fewer than 8 tell 5 dB from nothing
# in five cases of six.
_FEWEST, _MOST = 32, 256
_GOLDEN = (1 + 5**0.5) / 2


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

    def at(self, positions: Iterable[int]) -> "Subset":
        return Subset(self.samples, tuple(self.positions[i] for i in positions))


@dataclass(frozen=True)
class Split:
    """Calibration samples by what a pass may do with them: `fit` parameters to some, `choose` among what was fitted by others,
    and `check` by others again whether the outputs gain. No two have a sample in common, but for fewer than 32 in all.
    """

    fit: Subset
    choose: Subset
    check: Subset

    @property
    def learn(self) -> Subset:
        """All but those of `check`, for a pass that only fits or only chooses, or sets some of them apart itself."""
        positions = sorted({*self.fit.positions, *self.choose.positions})
        return Subset(self.fit.samples, tuple(positions))


def shapes_of(samples: SamplesLike) -> Iterator[tuple[tuple[int, ...], ...]]:
    """Of each sample's inputs."""
    return (tuple(array.shape for array in samples[i]) for i in range(samples.count))


def evenly_spaced(samples: SamplesLike, most: int) -> Subset:
    """Up to `most` of the samples, from the first to the last."""
    positions = tuple(int(i) for i in np.linspace(0, samples.count - 1, min(samples.count, most)))
    return samples.at(positions) if isinstance(samples, Subset) else Subset(samples, positions)


def spread(samples: Subset) -> Subset:
    """All of them, in an order in which the first few, however many, are spread over the set.

    Multiples of the golden ratio, less their whole parts: of all sequences this fills a line the most evenly.
    """
    places = np.arange(samples.count) * _GOLDEN % 1.0
    return samples.at(int(i) for i in np.argsort(np.argsort(places, kind="stable"), kind="stable"))


def split_of(samples: SamplesLike) -> Split:
    """Up to 256 of the samples: half of them to fit by, a quarter to choose by, a quarter to check by. Every fourth, so that
    each part is of everything that the samples are sorted by.
    """
    some = evenly_spaced(samples, _MOST)
    if some.count < _FEWEST:
        return Split(some, some, some)
    every = range(some.count)
    return Split(
        fit=some.at(i for i in every if i % 2 == 0),
        choose=some.at(i for i in every if i % 4 == 1),
        check=some.at(i for i in every if i % 4 == 3),
    )
