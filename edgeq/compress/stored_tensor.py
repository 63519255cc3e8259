"""One tensor in a model file."""

from dataclasses import dataclass


@dataclass(frozen=True)
class StoredTensor:
    """`size` bytes from `start` on, little-endian elements of numpy's `dtype` in C order."""

    start: int
    size: int
    dtype: str
    shape: tuple[int, ...]
