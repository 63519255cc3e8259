"""Kills a process at its n-th change on disk, from outside of the code under test: audit hooks see every change."""

import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

_CHANGES = {"os.rename", "os.link", "os.symlink", "os.mkdir", "os.rmdir", "os.remove", "os.chmod", "os.utime"}
_WRITES = os.O_WRONLY | os.O_RDWR


def cut_before(n: int, act: Callable[[], object]) -> bool:
    """Run `act` in a child that dies of SIGKILL just before its n-th change; False when it ended before that."""
    seen = 0

    def kill_when_due() -> None:
        nonlocal seen
        seen += 1
        if seen == n:
            os.kill(os.getpid(), signal.SIGKILL)

    def in_child() -> str:
        _each_change(lambda event, args: kill_when_due())
        sync = os.fsync
        os.fsync = lambda handle: (kill_when_due(), sync(handle))[1]  # type: ignore[assignment,misc]
        act()
        return ""

    status, said = _fork(in_child)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return True
    assert status == 0, said
    return False


def careless_renames(act: Callable[[], object]) -> list[str]:
    """What a power cut could still lose: a file or folder that gets its name before it was fsynced, and a folder that
    was not fsynced after something in it got its name.
    """

    def in_child() -> str:
        watch = _Watch()
        sync = os.fsync

        def fsync(handle: int) -> None:
            watch.dirty.discard(str(Path(f"/proc/self/fd/{handle}").readlink()))
            sync(handle)

        os.fsync = fsync  # type: ignore[assignment]
        _each_change(watch.see)
        act()
        return "\n".join(
            watch.found + [f"{p} was not fsynced at the end" for p in sorted(watch.named & watch.dirty)]
        )

    status, said = _fork(in_child)
    assert status == 0, said
    return said.splitlines()


class _Watch:
    """`dirty`: files written and folders changed since their last fsync. `named`: folders with new final names."""

    def __init__(self) -> None:
        self.dirty: set[str] = set()
        self.named: set[str] = set()
        self.found: list[str] = []

    def see(self, event: str, args: tuple[Any, ...]) -> None:
        paths = [str(Path(os.fsdecode(a)).absolute()) for a in args if isinstance(a, (str, bytes))]
        if event == "open":
            self.dirty |= {paths[0], str(Path(paths[0]).parent)}
        elif event in ("os.link", "os.rename"):
            source, destination = paths[:2]
            if event == "os.rename" and ".tmp/" in destination:  # within what is still being assembled
                self.dirty = {destination if p == source else p for p in self.dirty}
            elif event == "os.rename":
                inside = [p for p in self.dirty if p == source or p.startswith(source + "/")]
                self.found += [f"{p} was renamed to {destination} and not fsynced" for p in inside]
                self.dirty -= set(inside)
                self.named.add(str(Path(destination).parent))
            self.dirty.add(str(Path(destination).parent))
        elif event in ("os.mkdir", "os.symlink"):
            self.dirty.add(str(Path(paths[-1]).parent))
            if event == "os.mkdir":
                self.dirty.add(paths[-1])


def _each_change(told: Callable[[str, tuple[Any, ...]], None]) -> None:
    def hook(event: str, args: tuple[Any, ...]) -> None:
        writes = event == "open" and isinstance(args[0], (str, bytes)) and (args[2] or 0) & _WRITES
        if (event in _CHANGES) or writes:
            told(event, args)

    sys.addaudithook(hook)


def _fork(act: Callable[[], str]) -> tuple[int, str]:
    """The wait status and what `act` returned or how it failed. A hook cannot be taken out again: hence a process."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 0
        try:
            said = act()
        except BaseException:
            said, code = traceback.format_exc(), 1
        os.write(write, said.encode()[-60000:])
        os._exit(code)
    os.close(write)
    with os.fdopen(read) as pipe:
        said = pipe.read()
    return os.waitpid(pid, 0)[1], said
