"""Changes on disk that a power cut leaves done or undone: written to a temporary file, fsynced, renamed, the folder fsynced.

Temporary names are `.edgeq-<8 hex>.<name>.tmp`; `sweep` removes those that a power cut left.
"""

import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Union

from edgeq.nouns.record import canonical_json

# "copy" is what the installation of a service makes (deliver/service/plan.py).
TEMPORARY = re.compile(r"\.edgeq-(?:[0-9a-f]{8}|copy)\..+\.tmp", re.DOTALL)
READ_ONLY = 0o444
# Where a service and a login share a folder, either could have laid a link there before.
NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
# Beyond this many files one sync() of everything, which makes the single fsyncs free, is the quicker way.
_MANY_FILES = 64


def temporary_beside(path: Path) -> Path:
    """A name in the same folder, hence on the same file system, that nothing else uses."""
    return path.with_name(f".edgeq-{secrets.token_hex(4)}.{path.name[:180]}.tmp")


def is_temporary(path: Path) -> bool:
    return TEMPORARY.fullmatch(path.name) is not None


def make_folder(path: Path) -> None:
    """`mkdir -p` whose new folders survive a power cut."""
    if path.is_dir():
        return
    make_folder(path.parent)
    path.mkdir(exist_ok=True)
    sync_folder(path.parent)


def write_file(path: Path, data: "Union[bytes, bytearray]", mode: int = 0o664) -> None:
    """Make `path` hold `data`, all or nothing."""
    make_folder(path.parent)
    beside = temporary_beside(path)
    try:
        create_file(beside, data, mode)
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def create_file(path: Path, data: "Union[bytes, bytearray]", mode: int = 0o664) -> None:
    """A new, fsynced file inside a folder that is still being assembled; its folder is fsynced with the rest."""
    handle = os.open(path, NEW_FILE, mode)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def write_json(path: Path, value: object) -> None:
    """Make `path` hold the canonical JSON of `value`; a file that does already is left alone."""
    data = canonical_json(value)
    if not _holds(path, data):
        write_file(path, data)


def point_link(link: Path, target: str) -> None:
    """Make the symbolic link `link` lead to `target`: at each moment it leads to the old or to the new one."""
    beside = temporary_beside(link)
    try:
        beside.symlink_to(target)
        beside.replace(link)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    sync_folder(link.parent)


def move(source: Path, destination: Path) -> None:
    """Rename a complete file or folder to its final name."""
    source.rename(destination)
    sync_folder(destination.parent)
    if source.parent != destination.parent:
        sync_folder(source.parent)


def remove_file(path: Path) -> None:
    path.unlink(missing_ok=True)
    sync_folder(path.parent)


def remove_tree(path: Path) -> None:
    """Remove a folder so that it is there whole or not at all under its name, also after a power cut."""
    going = path if is_temporary(path) else temporary_beside(path)
    if going != path:
        path.rename(going)
        sync_folder(path.parent)
    _make_writable(going)
    shutil.rmtree(going)


def sync_folder(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_tree(path: Path) -> None:
    """fsync every file and folder below and including `path`, children first."""
    found = list(_bottom_up(path))
    if len(found) > _MANY_FILES:
        os.sync()
    for item in found:
        handle = os.open(item, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _holds(path: Path, data: bytes) -> bool:
    try:
        info = path.lstat()
        return stat.S_ISREG(info.st_mode) and info.st_size == len(data) and path.read_bytes() == data
    except OSError:
        return False


def _bottom_up(path: Path) -> Iterator[Path]:
    for folder, _, files in os.walk(path, topdown=False):
        for name in files:
            item = Path(folder, name)
            if not item.is_symlink():
                yield item
        yield Path(folder)


def _make_writable(path: Path) -> None:
    """rmtree cannot empty a folder that its owner may not write, as some wheels carry."""
    for folder, _, _ in os.walk(path):
        if not os.access(folder, os.W_OK):
            Path(folder).chmod(0o755)
