"""Whether a bundle can be written where it was asked for: found out before anything is made that would be lost.

A bundle is renamed into its place, which on /dev/null would put a file where the whole machine expects the device.
"""

import os
from pathlib import Path

from edgeq.errors import BundleRefused

_REMEDY = "name a file with -o, in a folder that is there"


def require_destination(path: Path) -> None:
    """Raises BundleRefused where no bundle can be written; leaves nothing behind."""
    require_no_other_kind(path)
    if not path.parent.is_dir():
        raise BundleRefused(f"there is no folder {path.parent}", f"mkdir -p {path.parent}, or another -o")
    if path.suffix != ".edgeq":
        raise BundleRefused(
            f"{path} is no name for a bundle: it ends in .edgeq",
            f"-o {path}.edgeq; model files and folders are written by edgeq.export and `edgeq export`",
        )
    trial = unfinished(path)
    try:
        trial.open("wb").close()
        trial.unlink()
    except OSError as error:
        raise BundleRefused(f"cannot write {path}: {error.strerror}", _REMEDY) from None


def require_no_other_kind(path: Path) -> None:
    """Raises BundleRefused for what is there and is no file: a folder, a device, a pipe."""
    try:
        if not path.exists() or path.is_file():
            return
    except OSError as error:
        raise BundleRefused(f"cannot write {path}: {error.strerror}", _REMEDY) from None
    what = "a folder" if path.is_dir() else "a device or a pipe, which a bundle would replace"
    raise BundleRefused(f"cannot write {path}: it is {what}", _REMEDY)


def unfinished(path: Path) -> Path:
    """Where what will be `path` is written first."""
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")
