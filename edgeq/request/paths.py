"""Paths from Python callers: text or pathlib.Path, everywhere."""

import os
from typing import Any, overload

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


def text_or_given(value: Any) -> Any:
    """A path as text; what a program gave instead of one as it is."""
    return os.fspath(value) if is_path(value) else value
