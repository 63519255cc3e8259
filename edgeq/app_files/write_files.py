"""Several files into one folder, each whole or not at all: written to temporary files, fsynced, renamed when all are there."""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from edgeq.bundle.write import sync_folder
from edgeq.errors import BundleRefused


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """A folder that is not there appears with all of `files` at once; in one that is there they replace those of the same names.

    Raises BundleRefused; after it, and after Ctrl-C, there is nothing that was not there before.
    """
    try:
        with _parents(folder):
            if folder.exists():
                _into_folder(folder, files)
            else:
                _new_folder(folder, files)
    except OSError as error:
        where = error.filename or folder
        raise BundleRefused(
            f"cannot write {where}: {error.strerror}",
            "nothing was written; make room there, or name another place with -o",
        ) from None


def _new_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    made = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    shutil.rmtree(made, ignore_errors=True)
    try:
        made.mkdir()
        for name, content in files.items():
            _write(made / name, content)
        sync_folder(made)
        made.rename(folder)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise
    sync_folder(folder.parent)


def _into_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    made = {name: folder / f".{name}.{os.getpid()}.tmp" for name in files}
    try:
        for name, content in files.items():
            _write(made[name], content)
        for name, path in made.items():
            path.replace(folder / name)
    except BaseException:
        for path in made.values():
            path.unlink(missing_ok=True)
        raise
    sync_folder(folder)


@contextmanager
def _parents(folder: Path) -> Iterator[None]:
    """The folders above `folder`; those that are made now go again with a failure."""
    missing = [part for part in folder.parents if not part.exists()]
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        for part in missing:
            with suppress(OSError):  # not there, or somebody else uses it by now
                part.rmdir()
        raise


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
