"""Which files the code of a user opens while it builds a model: all that its result depends on, besides the code.

Python announces every file that it opens (audit events, PEP 578), source files that are imported among them. Left out
are the interpreter and installed packages, edgeq itself, what the kernel makes up, and what is gone afterwards. What a
library opens behind Python's back and what comes from the environment are not seen.

A neighbour that had been imported before may have been another file then: nothing is known in that case.
"""

import contextlib
import hashlib
import importlib.util
import os
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

_KERNEL = ("/proc", "/sys", "/dev")
_NETWORK = "socket.connect"
_listening: list[set[str]] = []
_hooked = False


@contextlib.contextmanager
def files_read(*besides: Path) -> Iterator[dict[str, str]]:
    """Path -> sha256, filled when the block ends; left empty when that is not all that counts: the network was asked,
    or a neighbour was imported before. `besides`, files and folders, are left out.
    """
    read: dict[str, str] = {}
    imported = _imported()
    opened: set[str] = set()
    _hook()
    _listening.append(opened)
    try:
        yield read
    finally:
        _listening.remove(opened)
    if _NETWORK in opened:
        return
    ours = (*_installed(), *(p.resolve() for p in besides))
    paths = [p for p in sorted({_source(p) for p in opened}) if p.is_file() and not _lies_in(p, ours)]
    code = [p.parent for p in paths if p.suffix == ".py"]
    if not any(_lies_in(path, code) for path in imported):
        read |= {str(path): _sha256(path) for path in paths}


def unchanged(read: dict[str, str]) -> bool:
    """Whether all files are there and hold what they held; False for no files at all."""
    return bool(read) and all(Path(p).is_file() and _sha256(Path(p)) == was for p, was in read.items())


def _hook() -> None:
    """An audit hook lasts as long as the process: there is one, and it listens only inside a block."""
    global _hooked
    if not _hooked:
        sys.addaudithook(_hear)
        _hooked = True


def _hear(event: str, args: tuple[Any, ...]) -> None:
    if not _listening:
        return
    if event == "open" and isinstance(args[0], (str, bytes, os.PathLike)) and not _writes(args[2]):
        heard = os.path.abspath(os.fsdecode(args[0]))  # noqa: PTH100 (bytes too)
    elif event == _NETWORK:
        heard = _NETWORK
    else:
        return
    for opened in _listening:
        opened.add(heard)


def _writes(flags: Any) -> bool:
    return isinstance(flags, int) and flags & os.O_ACCMODE != os.O_RDONLY


def _imported() -> tuple[Path, ...]:
    """The files of all modules, but for the program that calls: nobody imports that."""
    files = [getattr(m, "__file__", None) for name, m in list(sys.modules.items()) if name != "__main__"]
    return tuple(Path(file).resolve() for file in files if file)


def _lies_in(path: Path, folders: Iterable[Path]) -> bool:
    return any(path.is_relative_to(folder) for folder in folders)


def _source(opened: str) -> Path:
    """Python reads the compiled file and only looks at the source's time: it is the source that counts."""
    if opened.endswith(".pyc"):
        with contextlib.suppress(ValueError):
            return Path(importlib.util.source_from_cache(opened)).resolve()
    return Path(opened).resolve()


def _installed() -> tuple[Path, ...]:
    places = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    places |= {sys.prefix, sys.base_prefix, *_KERNEL}
    return (Path(__file__).resolve().parent.parent, *(Path(p).resolve() for p in places))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
