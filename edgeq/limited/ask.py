"""Asks the child to read a file, and makes every way in which that can end an error of ours."""

import json
import os
import select
import signal
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from edgeq import child_python
from edgeq.errors import EdgeqError, from_dict
from edgeq.limited.limits import MEMORY_VARIABLE, SECONDS_VARIABLE, Limits
from edgeq.limited.reader import Reader
from edgeq.limited.regular_file import refuse_special

_START_S = 120.0  # importing torch from a slow disk
_LONGEST_LINE = 64 << 20


def ask(
    reader: Reader, path: Path | str, limits: Limits, *, writes: int = 0, **options: object
) -> tuple[Any, bytes]:
    """What the reader gives for `path`: JSON, and bytes where it gives some. `writes` is the size of the largest file that
    it may write. Raises the reader's EdgeqError, and `reader.refusal` for everything else that goes wrong.
    """
    return begin(reader, path, limits, writes=writes, **options).result()


def begin(
    reader: Reader, path: Path | str, limits: Limits, *, writes: int = 0, **options: object
) -> "Pending":
    """As `ask`, for a caller that has something else to do (imports) until it calls `result`."""
    return Pending(reader, Path(path), limits, writes, options)


@dataclass(frozen=True)
class _Answer:
    said: dict[str, Any]
    content: bytes


class _Ended(Exception):
    """The child is gone: `code` is None where it was killed for taking too long."""

    def __init__(self, code: int | None) -> None:
        super().__init__(code)
        self.code = code


class Pending:
    """A file that the child was asked for."""

    def __init__(
        self, reader: Reader, path: Path, limits: Limits, writes: int, options: dict[str, object]
    ) -> None:
        refuse_special(path, reader.refusal)
        self._reader, self._path, self._limits = reader, path, limits
        self._answer: _Answer | _Ended | None = None
        with _LOCK:
            self._child = _sent(
                self,
                {
                    "function": reader.function,
                    "path": str(path.absolute()),
                    "options": options,
                    "memory": limits.memory_bytes,
                    "seconds": limits.seconds,
                    "writes": writes,
                },
            )

    def result(self) -> tuple[Any, bytes]:
        """See `ask`."""
        with _LOCK:
            self.collect()
        if isinstance(self._answer, _Ended):
            raise self._end(self._answer.code)
        assert self._answer is not None
        return self._value(self._answer)

    def collect(self) -> None:
        """Takes the answer off the pipe, where the next one follows."""
        if self._answer is not None:
            return
        try:
            self._answer = self._child.answer(self._limits.seconds)
            if self._answer.said["last"]:
                _stop()
        except _Ended as end:
            self._answer = end
            _stop()
        except BaseException:  # Ctrl-C: the child is in the middle of a file
            _stop()
            raise

    def _value(self, answer: _Answer) -> tuple[Any, bytes]:
        said = answer.said
        if "error" in said:
            raise from_dict(said["error"])
        if "limit" in said:
            raise self._too_much_memory()
        if "foreign" in said:
            raise self._reader.refusal(f"{self._path} cannot be read: {said['foreign']}", self._reader.remedy)
        return said.get("value"), answer.content

    def _end(self, code: int | None) -> EdgeqError:
        if code in (None, -signal.SIGALRM):
            return self._too_much(f"{self._limits.seconds:.0f} s", SECONDS_VARIABLE)
        if code == -signal.SIGKILL:
            return self._too_much_memory()
        name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        words = f"{self._path} is corrupt: the library that reads it crashes on it ({name})"
        return self._reader.refusal(words, self._reader.remedy)

    def _too_much_memory(self) -> EdgeqError:
        return self._too_much(f"{self._limits.memory_bytes >> 20:,} MB of memory", MEMORY_VARIABLE)

    def _too_much(self, taken: str, variable: str) -> EdgeqError:
        """The same file again would take as much: only another limit, or another file, helps."""
        return self._reader.refusal(
            f"{self._path} takes more than {taken} to open: not opened",
            f"where you trust the file, set {variable} to more in the environment",
        )


class _Child:
    def __init__(self) -> None:
        self.owner = os.getpid()
        from edgeq.limited import child

        self._process = subprocess.Popen(
            child_python.script(child.__file__),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=child_python.environment(),
            start_new_session=True,  # Ctrl-C is ours: we end the child
        )
        self._rest = bytearray()
        self.waiting: Pending | None = None

    @property
    def alive(self) -> bool:
        return self.owner == os.getpid() and self._process.poll() is None

    def send(self, request: dict[str, object]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        self._process.stdin.flush()

    def answer(self, seconds: float) -> _Answer:
        """Raises _Ended."""
        until = time.monotonic() + seconds + _START_S
        while (end := self._rest.find(b"\n")) < 0:
            self._read(until)
            if len(self._rest) > _LONGEST_LINE:
                raise _Ended(self.kill())
        said = json.loads(self._rest[:end])
        del self._rest[: end + 1]
        size = said["bytes"]
        while len(self._rest) < size:
            self._read(until)
        content = bytes(self._rest[:size])
        del self._rest[:size]
        self.waiting = None
        return _Answer(said, content)

    def kill(self) -> int:
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            _close(stream)
        return self._process.returncode

    def _read(self, until: float) -> None:
        assert self._process.stdout is not None
        stream = self._process.stdout.fileno()
        if not select.select([stream], [], [], max(0.0, until - time.monotonic()))[0]:
            raise _Ended(None)
        found = os.read(stream, 1 << 20)
        if not found:
            raise _Ended(self._process.wait())
        self._rest += found


def _close(stream: IO[bytes] | None) -> None:
    try:
        if stream is not None:
            stream.close()
    except OSError:  # what was not sent any more
        pass


_LOCK = threading.RLock()
_child: _Child | None = None


def _sent(pending: Pending, request: dict[str, object]) -> _Child:
    """The child that has the request; it answers in order, so what it still owes is fetched before."""
    global _child
    if _child is not None and _child.waiting is not None:
        _child.waiting.collect()
    if _child is None or not _child.alive:
        _stop()
        _child = _Child()
    _child.send(request)
    _child.waiting = pending
    return _child


def _stop() -> None:
    global _child
    gone, _child = _child, None
    if gone is not None and gone.owner == os.getpid():
        gone.kill()
