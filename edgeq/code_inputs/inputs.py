"""What watched code depended on, as a record that tells later whether all of it is unchanged.

Files of the user's count by their contents, those of the installation (a few thousand) by size, time and inode, folders by the
names in them, and of environment variables the values. Whatever cannot be established makes no record.
"""

import ast
import hashlib
import os
import stat
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import util
from pathlib import Path
from typing import Optional

from edgeq.code_inputs.installation import is_installed
from edgeq.code_inputs.watch import Watch
from edgeq.nouns.record import Record, digest_of

_TICK_NS = 50_000_000  # by which the times of a file system may lag behind the clock
_NO_FILES = ("/proc/", "/sys/", "/dev/")
# Names by which a source gets at what nobody sees: clocks, chance that no seed governs, readers that are native code.
_UNSEEN_MODULES = frozenset(
    {"time", "datetime", "uuid", "secrets", "socket", "platform", "mmap", "dbm", "safetensors", "h5py", "cv2"}
)
_UNSEEN_NAMES = frozenset(
    {
        "default_rng",
        "RandomState",
        "SystemRandom",
        "urandom",
        "cpu_count",
        "uname",
        "from_file",
        "jit",
        "argv",
    }
)


@dataclass(frozen=True)
class CodeInputs(Record):
    """By absolute path: `files` of the user's with their sha256, `installed` ones with size, mtime in ns and inode (None: not
    there); `folders` that code listed and those in which modules were `searched` with the digest of their names; what
    stands at the paths that were `asked` for. `variables` were read, and have the digest `environment` together.
    """

    files: dict[str, Optional[str]]
    installed: dict[str, Optional[tuple[int, ...]]]
    folders: dict[str, str]
    searched: dict[str, str]
    asked: dict[str, str]
    variables: tuple[str, ...]
    environment: str

    def unchanged(self) -> bool:
        """Whether the same code would find the same."""
        return (
            all(_identity(path) == was for path, was in self.installed.items())
            and all(_kind(path) == was for path, was in self.asked.items())
            and all(_names(path) == was for path, was in self.folders.items())
            and all(_modules(path) == was for path, was in self.searched.items())
            and _environment(self.variables) == self.environment
            and all(_sha256(path) == was for path, was in self.files.items())
        )


def inputs_of(watch: Watch, *, but: Iterable[Path] = ()) -> tuple[CodeInputs | None, str]:
    """What `watch` noted, and of every module that is loaded now its file; `but`: files that count otherwise. None, and why,
    where that may not be all.
    """
    left_out = {os.path.abspath(path) for path in but}
    paths = {_source(path) for path in watch.opened | _module_files()} - left_out
    theirs = sorted(path for path in paths if not is_installed(path))
    unseen = [*watch.unseen, *(why for path in theirs for why in _doubts(path, watch.began))]
    if unseen:
        return None, unseen[0]
    variables = tuple(sorted(watch.variables))
    searched = {*watch.searched, *map(os.path.abspath, sys.path), *(os.path.dirname(path) for path in theirs)}
    return CodeInputs(
        files={path: _sha256(path) for path in theirs},
        installed={path: _identity(path) for path in sorted(paths - set(theirs))},
        folders={path: _names(path) for path in sorted(watch.listed)},
        searched={path: _modules(path) for path in sorted(searched)},
        asked={path: _kind(path) for path in sorted(watch.asked - left_out)},
        variables=variables,
        environment=_environment(variables),
    ), ""


def _module_files() -> set[str]:
    """The program itself included: what it does before it calls may count as well."""
    files = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
    paths = {os.path.abspath(file) for file in files if isinstance(file, str)}
    return {path for path in paths if is_installed(path) or os.path.exists(path)}


def _source(path: str) -> str:
    """Of a compiled file, where there is its source."""
    if path.endswith(".pyc") and os.path.basename(os.path.dirname(path)) == "__pycache__":
        try:
            source = util.source_from_cache(path)
        except ValueError:
            return path
        return source if os.path.exists(source) else path
    return path


def _doubts(path: str, began: int) -> list[str]:
    """Why the contents of a file now may not be what was read, or not all that counts."""
    if path.startswith(_NO_FILES) and path != os.devnull:
        return [f"it reads {path}"]
    try:
        found = os.stat(path)
    except OSError:
        return []
    if not stat.S_ISREG(found.st_mode):
        return [] if path == os.devnull or stat.S_ISDIR(found.st_mode) else [f"{path} is no file"]
    if max(found.st_mtime_ns, found.st_ctime_ns) >= began - _TICK_NS:
        return [f"{path} was written while it was read"]
    is_program = path == os.path.abspath(getattr(sys.modules["__main__"], "__file__", ""))
    return _unseen_in(path) if path.endswith(".py") and not is_program else []


def _unseen_in(path: str) -> list[str]:
    try:
        tree = ast.parse(Path(path).read_bytes())
    except (SyntaxError, ValueError, OSError):
        return []  # what was opened and did not run
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                used = {name.name.partition(".")[0] for name in names} & _UNSEEN_MODULES
            case ast.ImportFrom(module=module, names=names):
                used = {(module or "").partition(".")[0]} & _UNSEEN_MODULES
                used |= {name.name for name in names} & _UNSEEN_NAMES
            case ast.Attribute(attr=name) | ast.Name(id=name):
                used = {name} & _UNSEEN_NAMES
            case _:
                continue
        if used:
            return [f"{os.path.basename(path)} uses {min(used)}, whose effect is not seen"]
    return []


def _sha256(path: str) -> str | None:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def _identity(path: str) -> tuple[int, ...] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns, found.st_ino


def _kind(path: str) -> str:
    try:
        return stat.filemode(os.stat(path).st_mode)[0]
    except OSError:
        return ""


def _names(folder: str) -> str:
    try:
        return digest_of(sorted(os.listdir(folder)))
    except OSError:
        return ""


def _modules(folder: str) -> str:
    """Of the names that an import could find; of a package that is installed with its version."""
    try:
        with os.scandir(folder) as entries:
            names = [
                entry.name
                for entry in entries
                if entry.name.endswith((".py", ".pyc", ".so", ".pyd", ".pth"))
                or (entry.is_dir() and not entry.name.startswith((".", "__pycache__")))
            ]
    except OSError:
        return ""
    return digest_of(sorted(names))


def _environment(variables: Iterable[str]) -> str:
    return digest_of([(name, os.environ.get(name)) for name in variables])
