"""Packs files while others are on their way: the link never waits for longer than it gains."""

import time
from collections.abc import Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from types import TracebackType
from typing import Self

from edgeq.compress.worth import Way, gained_s, saves_time
from edgeq.conversion.packed_files import PackedFile, known, packed


class Packing:
    """`files` that may gain, by sha256, are packed one after the other, the smallest first; `left` are those that `next` has not given yet.
    `old`: sha256 and content of the file that one is packed against.
    """

    def __init__(self, files: Mapping[str, Path], old: Mapping[str, tuple[str, bytes]], way: Way) -> None:
        self._way = way
        self._sizes = {sha: path.stat().st_size for sha, path in files.items()}
        self._gains: dict[str, float] = {}
        self._takes: dict[str, float] = {}
        self._began: dict[str, float] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="packing")
        self._results: dict[str, Future[PackedFile | None]] = {}
        for sha in sorted(files, key=self._sizes.__getitem__):
            base = old.get(sha)
            if known(sha, base[0] if base else None) is None:
                content = files[sha].read_bytes()
                self._gains[sha] = gained_s(content, way, has_old=base is not None)
                self._takes[sha] = way.pack_s(content)
                if self._gains[sha] <= 0:
                    continue
            self._results[sha] = self._thread.submit(self._pack, sha, files[sha], base)
        self.left = list(self._results)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)

    def next(self) -> tuple[str, PackedFile | None]:
        """The file to send next, and what to send in its place; None: as it is. What is packed comes first; then, as it is, what is
        packed last and is not worth waiting for.
        """
        while True:
            for sha in self.left:
                if self._results[sha].done():
                    return self._given(sha, self._results[sha].result())
            for sha in reversed(self.left):
                if not self._is_worth_waiting_for(sha) and self._results[sha].cancel():
                    return self._given(sha, None)
            first = self.left[0]  # under way, or worth it
            ended, _ = wait(
                [self._results[sha] for sha in self.left], self._patience_s(first), FIRST_COMPLETED
            )
            if not ended and first in self._began:
                return self._given(first, None)

    def _given(self, sha: str, found: PackedFile | None) -> tuple[str, PackedFile | None]:
        self.left.remove(sha)
        if found is not None and not saves_time(self._sizes[sha], found.size, self._way, 0.0):
            found = None
        return sha, found

    def _is_worth_waiting_for(self, sha: str) -> bool:
        return self._patience_s(sha) > 0

    def _patience_s(self, sha: str) -> float:
        """0 where packing takes longer from now on than it gains; else what it gains."""
        gains = self._gains.get(sha, 1.0)  # known already: it is read in no time
        spent = time.monotonic() - self._began[sha] if sha in self._began else 0.0
        return gains if gains > max(self._takes.get(sha, 0.0) - spent, 0.0) else 0.0

    def _pack(self, sha: str, path: Path, base: tuple[str, bytes] | None) -> PackedFile | None:
        self._began[sha] = time.monotonic()
        return packed(path.read_bytes(), sha, base)
