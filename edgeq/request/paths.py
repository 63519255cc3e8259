"""Paths from Python callers: text or pathlib.Path, everywhere."""

import os
from typing import overload

AnyPath = str | os.PathLike[str]


@overload
def text(path: AnyPath) -> str: ...
@overload
def text(path: None) -> None: ...
@overload
def text(path: AnyPath | None) -> str | None: ...
def text(path: AnyPath | None) -> str | None:
    """The path as text, as it was given: relative ones stay relative."""
    return None if path is None else os.fspath(path)


def is_path(value: object) -> bool:
    return isinstance(value, (str, os.PathLike))
