"""Chooses among ways to set ranges the one whose file comes closest to float, on the calibration samples themselves.

The held-out samples stay untouched: they judge, they do not choose.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .calibrate import Ranges, ranges_of
from .error import sqnr_db
from .host_run import load, run
from .observers import AUTO
from .observers.seen import Seen
from .samples_like import Array, SamplesLike

_SAMPLES = 64  # enough to tell ways apart by tenths of a decibel
_EXACT = 200.0  # dB; stands for outputs without any error


@dataclass(frozen=True)
class First:
    """The first `count` samples of a set."""

    samples: SamplesLike
    count: int

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
        return self.samples[i]


def closest_ranges(
    seen: Mapping[str, Seen],
    calibrator: str,
    write: Callable[[Ranges], None],
    source: Path,
    written: Path,
    samples: SamplesLike,
    threads: int,
) -> tuple[str, Ranges]:
    """(name, ranges) of `calibrator`; of the best of three for "auto". `write` makes the file at `written`."""
    if calibrator != "auto":
        return calibrator, ranges_of(seen, calibrator)
    some = First(samples, min(samples.count, _SAMPLES))
    format = source.suffix.removeprefix(".")
    reference = run(load(source, format, threads), some, written.parent / "closest")
    found: list[tuple[float, str, Ranges]] = []
    for name in AUTO:
        ranges = ranges_of(seen, name)
        write(ranges)
        outputs = run(load(written, format, threads), some, written.parent / "closest")
        found.append((_closeness(reference, outputs), name, ranges))
    _, name, ranges = max(found, key=lambda f: f[0])  # the first of equals: the simplest way
    return name, ranges


def _closeness(reference: tuple[Array, ...], outputs: tuple[Array, ...]) -> float:
    """Mean SQNR over the outputs, in dB."""
    each = (sqnr_db(r, o) for r, o in zip(reference, outputs, strict=True))
    return float(np.mean([_EXACT if e is None else e for e in each]))
