"""Notes what code reads while it runs. What Python does not tell of is a reason not to trust the notes.

Python's audit events tell of opened files, listed folders, loaded native code, processes and connections. They do not tell of
environment variables and of questions whether a file is there: for these `os.environ` and `os.stat` are stood in for while
code is watched. Files that native code opens are not seen, so native code is trusted by its name.
"""

import functools
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

from edgeq.code_inputs.installation import is_installed, package_of

# Native code that opens no file by itself when a network is built.
_OPENS_NOTHING = frozenset(
    {"", "torch", "torchgen", "functorch", "torchvision", "numpy", "scipy", "PIL", "yaml", "_yaml"}
)
_LEAVES_PYTHON = (
    "subprocess.Popen",
    "os.system",
    "os.exec",
    "os.fork",
    "os.forkpty",
    "os.posix_spawn",
    "os.spawn",
    "pty.spawn",
    "socket.connect",
    "socket.getaddrinfo",
    "socket.gethostname",
    "socket.gethostbyname",
    "sqlite3.connect",
    "os.chdir",
)
_IMPORT_SYSTEM = "<frozen importlib._bootstrap_external>"


@dataclass
class Watch:
    """Paths are absolute. `opened` for reading; `listed` by code, `searched` for modules; `asked` whether they are there.
    `variables` of the environment. `unseen`: why the notes are not all that counts. `began` is the time in ns at which the
    watch was set, before anything was read.
    """

    opened: set[str] = field(default_factory=set)
    listed: set[str] = field(default_factory=set)
    searched: set[str] = field(default_factory=set)
    asked: set[str] = field(default_factory=set)
    variables: set[str] = field(default_factory=set)
    unseen: list[str] = field(default_factory=list)
    began: int = field(default_factory=time.time_ns)

    def __post_init__(self) -> None:
        loaded = loaded_of_the_user()
        if loaded:
            self.unseen.append(f"{loaded} was loaded before and may have been changed since")

    @contextmanager
    def watching(self) -> Iterator[None]:
        """May be entered several times, one after another."""
        _listen()
        with (
            mock.patch.object(os, "stat", _noting(os.stat, self._ask)),
            mock.patch.object(
                os.environ, "encodekey", _noting(os.environ.encodekey, lambda name: self.variables.add(name))
            ),
        ):
            _watches.append(self)
            try:
                yield
            finally:
                _watches.remove(self)

    def _ask(self, path: object) -> None:
        if isinstance(path, (str, bytes, os.PathLike)):
            self.asked.add(os.path.abspath(os.fsdecode(path)))

    def hear(self, event: str, args: tuple[Any, ...]) -> None:
        if event == "open":
            self._open(*args)
        elif event in ("os.listdir", "os.scandir"):
            self._list(args[0])
        elif event == "import" and args[1]:
            self._native(os.fsdecode(args[1]))
        elif event == "ctypes.dlopen" and args[0]:
            self._native(os.fsdecode(args[0]))
        elif event in _LEAVES_PYTHON:
            self.unseen.append(f"it calls {event}")

    def _open(self, path: object, mode: str | None, flags: int) -> None:
        if not isinstance(path, (str, bytes, os.PathLike)):
            return  # of a file that is open already
        made = flags & os.O_CREAT and flags & (os.O_EXCL | os.O_TRUNC)
        if flags & os.O_ACCMODE == os.O_WRONLY or made:
            return
        name = os.fsdecode(path)
        if mode is None and not os.path.isabs(name):
            self.unseen.append(f"it opens {name} relative to a folder that is not known")
        self.opened.add(os.path.abspath(name))

    def _list(self, folder: str | bytes | os.PathLike[str] | int | None) -> None:
        if isinstance(folder, int):
            self.unseen.append("it lists a folder that is open already")
            return
        path = os.path.abspath(os.fsdecode("." if folder is None else folder))
        # The frames above are those of `hear` and of the hook.
        importing = sys._getframe(3).f_code.co_filename == _IMPORT_SYSTEM
        (self.searched if importing else self.listed).add(path)

    def _native(self, path: str) -> None:
        package = package_of(os.path.abspath(path))
        if package not in _OPENS_NOTHING:
            self.unseen.append(f"it loads native code, which may read files: {os.path.basename(path)}")


def watching(watch: Watch | None) -> AbstractContextManager[None]:
    return nullcontext() if watch is None else watch.watching()


_watches: list[Watch] = []


@functools.cache
def _listen() -> None:
    """An audit hook stays until the process ends, so there is one."""

    def hook(event: str, args: tuple[Any, ...]) -> None:
        for watch in _watches:
            try:
                watch.hear(event, args)
            except Exception as error:  # raised here, it would end what is watched
                watch.unseen.append(f"{event} is not understood: {error!r}")

    sys.addaudithook(hook)


def _noting(function: Callable[..., Any], note: Callable[[Any], None]) -> Callable[..., Any]:
    @functools.wraps(function)
    def noted(*given: Any, **named: Any) -> Any:
        note(given[0] if given else named.get("path"))
        return function(*given, **named)

    return noted


def loaded_of_the_user() -> str:
    """A loaded module that lies outside of the installation and is not the program itself; "" where there is none."""
    program = getattr(sys.modules["__main__"], "__file__", None)
    if program is None:
        return "what was typed"
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if not isinstance(file, str) or file == program:
            continue
        path = os.path.abspath(file)
        if not is_installed(path) and os.path.exists(path):  # torch has modules whose file is nowhere
            return name
    return ""
