"""Arrays computed from a model and samples, cached on disk: the same model and samples need no second run.

A folder of .npz files, each named by a hash of all that its content depends on. A file is written beside and renamed,
one that cannot be read is as good as none, and the oldest go when the folder gets too large. Zip's checksums tell a
damaged file. What a process that was killed left beside goes after a day.
"""

import contextlib
import os
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.nouns.record import digest_of

Arrays = Mapping[str, npt.NDArray[Any]]

_MOST = 256 * 2**20  # bytes
_ABANDONED_S = 24 * 3600.0


@dataclass(frozen=True)
class ArrayCache:
    """Without a folder nothing is cached and nothing found. `compressed` takes seconds for 100 MB of weights and saves little."""

    folder: Path | None = None
    most: int = _MOST
    compressed: bool = True

    def find(self, **facts: object) -> Arrays | None:
        """What was put under the same facts (plain JSON values)."""
        path = self._path(facts)
        if path is None or not path.is_file():
            return None
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            os.utime(path)
        except Exception:  # zip, zlib and numpy each have their own for a file that is cut or scrambled
            return None
        return arrays

    def holds(self, **facts: object) -> bool:
        """Whether something was put under the same facts, which may turn out to be unreadable."""
        path = self._path(facts)
        return path is not None and path.is_file()

    @property
    def is_empty(self) -> bool:
        return self.folder is None or not any(self.folder.glob("*.npz"))

    def put(self, arrays: Arrays, **facts: object) -> None:
        """A folder that cannot be written to costs the next run its time, and this one nothing."""
        path = self._path(facts)
        if path is None:
            return
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, beside = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
            try:
                with os.fdopen(handle, "wb") as file:
                    save = np.savez_compressed if self.compressed else np.savez
                    save(file, **arrays)  # type: ignore[arg-type]
                Path(beside).replace(path)
            except BaseException:
                Path(beside).unlink(missing_ok=True)
                raise
            self._make_room(path)

    def _path(self, facts: dict[str, object]) -> Path | None:
        return None if self.folder is None else self.folder / f"{digest_of(facts)}.npz"

    def _make_room(self, newest: Path) -> None:
        """The file that was just written stays, whatever its size."""
        for part in newest.parent.glob(".*.part"):
            if part.stat().st_mtime < time.time() - _ABANDONED_S:
                part.unlink(missing_ok=True)
        files = [(p.stat(), p) for p in newest.parent.glob("*.npz") if p != newest]
        total = newest.stat().st_size + sum(stat.st_size for stat, _ in files)
        for stat, path in sorted(files, key=lambda f: f[0].st_mtime):
            if total <= self.most:
                return
            path.unlink(missing_ok=True)
            total -= stat.st_size


NO_CACHE = ArrayCache()
