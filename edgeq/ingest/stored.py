"""Opened data of every kind: named arrays per sample, as they are stored, and a hash that identifies them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

_SHOWN = 4


@dataclass(frozen=True)
class ClassFolders:
    """Folders named after classes: `names[k]` holds class `numbers[k]`. `by_name`: the names are no numbers, so they
    were numbered in their order.
    """

    names: tuple[str, ...]
    numbers: tuple[int, ...]
    by_name: bool

    def __str__(self) -> str:
        """ "0 ant, 1 bee, 2 cat and 7 more"."""
        first = [f"{n} {name}" for n, name in zip(self.numbers, self.names, strict=True)][:_SHOWN]
        more = len(self.names) - len(first)
        return ", ".join(first) + (f" and {more} more" if more else "")


@dataclass(frozen=True)
class Stored:
    """`read(i)` returns sample i as {array name: array}; a nameless array has the name "" (or "0", "1" ... by position).

    `keys` holds a sha256 over each sample's own bytes and label: content, not file names or times. `truth` is what the
    labels file or array holds, first axis = samples; None where there are no labels. `images`: what is read are pixels,
    which are no model's input before preprocessing. `files` name the samples in messages where each has its own; `folders`: the labels are those of class folders.
    `arrays` are the whole arrays of samples where they lie in memory. `likely_labels`: without labels, which array looks like
    them, in words.
    """

    where: str
    keys: tuple[str, ...]
    read: Callable[[int], Mapping[str, np.ndarray]]
    truth: np.ndarray | None = None
    images: bool = False
    files: tuple[str, ...] = ()
    folders: ClassFolders | None = None
    arrays: Mapping[str, np.ndarray] | None = None
    likely_labels: str = ""

    def name(self, i: int) -> str:
        return self.files[i] if self.files else f"{self.where}, sample {i}"


def named(key: str) -> bool:
    """Whether a name says which input is meant, or only a position."""
    return bool(key) and not key.isdecimal()
