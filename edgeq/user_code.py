"""Loads what a user names as `file.py:attribute` or `package.module:attribute`. This runs their code, as they asked."""

import sys
import sysconfig
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module, util
from pathlib import Path
from typing import Any

from edgeq.errors import EdgeqError

_NOT_THEIRS = (
    Path(__file__).parent,
    *(Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib", "purelib", "platlib")),
)


def names_code(source: str) -> bool:
    """`file.py:name` or `package.module:name`."""
    file, colon, name = source.rpartition(":")
    return bool(colon and name.isidentifier() and (file.endswith(".py") or _is_module_name(file)))


def require_file(source: str, refusal: type[EdgeqError]) -> None:
    """Runs nothing. Raises `refusal` when `source` is "file.py:name" and there is no such file."""
    place = source.rpartition(":")[0]
    if place.endswith(".py") and not Path(place).is_file():
        raise refusal(f"there is no file {place}")


def load_attribute(source: str, refusal: type[EdgeqError]) -> Any:
    """Raises `refusal` when the file, the module or the name is not there, or when running it fails."""
    place, _, name = source.rpartition(":")
    try:
        module = _from_file(Path(place)) if place.endswith(".py") else _from_package(place)
    except FileNotFoundError:
        raise refusal(f"there is no file {place}") from None
    except Exception as error:
        raise refusal(
            f"{place} cannot be imported: {type(error).__name__}: {error}",
            "run it by itself to find out why",
            details=place_of(error),
        ) from error
    if not hasattr(module, name):
        public = [n for n, v in vars(module).items() if callable(v) and not n.startswith("_")]
        raise refusal(f"{place} has no {name!r}", f"it has: {', '.join(public) or 'no functions'}")
    return getattr(module, name)


def place_of(error: BaseException) -> tuple[str, ...]:
    """Where in the user's own code an error came up, as a detail of the refusal: "metric.py:12 in score: return 1 / n".
    Frames of edgeq and of installed packages are passed over; nothing where there is no other.
    """
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        file = Path(frame.filename)
        if file.is_file() and not any(folder in file.parents for folder in _NOT_THEIRS):
            return (f"{frame.filename}:{frame.lineno} in {frame.name}: {frame.line}",)
    return ()


def _from_file(path: Path) -> Any:
    if not path.is_file():
        raise FileNotFoundError(path)
    # The file's own neighbours can be imported, as if it had been run.
    spec = util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = util.module_from_spec(spec)
    with _first_on_path(path.parent.resolve()):
        spec.loader.exec_module(module)
    return module


def _from_package(name: str) -> Any:
    with _first_on_path(Path.cwd()):
        return import_module(name)


@contextmanager
def _first_on_path(folder: Path) -> Iterator[None]:
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        if str(folder) in sys.path:
            sys.path.remove(str(folder))


def _is_module_name(text: str) -> bool:
    return bool(text) and all(part.isidentifier() for part in text.split("."))
