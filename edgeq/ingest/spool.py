"""Samples stored on disk until the last reference is gone, because calibration must not need memory for all of them."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np


class Spool:
    """`read(i)` returns what was added as number i."""

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
