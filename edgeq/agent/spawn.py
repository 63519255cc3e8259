"""Starts child processes, sends them requests, and reports how one ended. The only file that knows processes and signals."""

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn, Optional

import edgeq
from edgeq.nouns.json_text import LARGEST, parse_json

from .message import Message
from .probes.oom_kills import oom_kills

_FS = Path("/")
_MEANWHILE_S = 1.0
_KEPT_WORDS = 4000  # characters of a child's last words on stderr
_ALLOCATION_WORDS = ("std::bad_alloc", "MemoryError", "Cannot allocate memory")


# -I: neither the current folder nor PYTHONPATH hides what the child imports.
_FROM_SOURCE = (
    "import runpy, sys; sys.path.append(sys.argv.pop(1)); "
    "runpy.run_module('edgeq.agent.child', run_name='__main__', alter_sys=True)"
)


class ChildFailed(Exception):
    """`state` is one of those of `Run.state`, `words` what happened."""

    def __init__(self, state: str, words: str) -> None:
        super().__init__(words)
        self.state = state
        self.words = words


def child_command() -> "tuple[list[str], dict[str, str]]":
    """How to start a child of this very agent, and its environment: from the archive, or from a source tree."""
    home = Path(edgeq.__path__[0]).parent
    # numpy's BLAS would start threads and hold memory for work that no model gives it.
    quiet = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "2"}
    if home.is_file():
        return [sys.executable, "-I", str(home), "child"], quiet
    return [sys.executable, "-I", "-c", _FROM_SOURCE, str(home)], quiet


class Child:
    """One running child. Every method raises ChildFailed, and then the process and all it started are gone."""

    def __init__(self) -> None:
        command, environment = child_command()
        # onnxruntime writes a database of telemetry below HOME as it is imported; nothing may be left on the device.
        self._home = tempfile.mkdtemp(prefix="edgeq-child-")
        environment = {**environment, "HOME": self._home, "XDG_CACHE_HOME": self._home, "TMPDIR": self._home}
        self._oom_kills = oom_kills(_FS)
        self._heard = b""
        self._words = b""
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            start_new_session=True,  # its own group: a runtime's helper processes die with it
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(
        self, request: Message, silence_s: float, meanwhile: "Callable[[], None]" = lambda: None
    ) -> Message:
        """The reply. `silence_s` bounds the time without any line from the child, not the whole answer. `meanwhile` is
        called about once a second.
        """
        for event in self.events(request, silence_s, _MEANWHILE_S):
            if event is None:
                meanwhile()
            elif "reply" in event:
                return event["reply"]  # type: ignore[no-any-return]
        raise AssertionError("events() ends with a reply or raises")

    def events(
        self, request: Message, silence_s: float, tick_s: Optional[float] = None
    ) -> "Iterator[Optional[Message]]":
        """Every line up to and including the reply; None each `tick_s` seconds in between."""
        self._send(request)
        last_heard = time.monotonic()
        while True:
            left = last_heard + silence_s - time.monotonic()
            line = self._line_within(left if tick_s is None else min(left, tick_s))
            if line is not None:
                last_heard = time.monotonic()
                event = self._event(line)
                if "failed" in event:
                    self.close()
                    raise ChildFailed(event["failed"], event["words"])
                yield event
                if "reply" in event:
                    return
            elif time.monotonic() - last_heard >= silence_s:
                self._kill()
                raise ChildFailed("timeout", f"no answer within {silence_s:g} s; killed")
            else:
                yield None

    def _event(self, line: bytes) -> Message:
        """A runtime may write to this pipe too: a line that is no JSON counts as a crash."""
        try:
            event = parse_json(line)
        except ValueError:
            event = None
        if not isinstance(event, dict):
            self._kill()
            raise ChildFailed("crashed", f"it answered {line[:80]!r}")
        return event

    def close(self) -> None:
        """End the child, whatever it is doing; safe to call twice."""
        self._kill()

    def _send(self, request: Message) -> None:
        stdin = self._process.stdin
        assert stdin is not None
        try:
            stdin.write(json.dumps(request).encode() + b"\n")
            stdin.flush()
        except BrokenPipeError:
            self._report_end()

    def _line_within(self, seconds: float) -> Optional[bytes]:
        """The next line, None when none came in time. Reads stderr along, so that a talkative runtime never blocks."""
        stdout, stderr = self._process.stdout, self._process.stderr
        assert stdout is not None
        assert stderr is not None
        end = time.monotonic() + seconds
        watched = [stdout, stderr]
        while b"\n" not in self._heard:
            ready, _, _ = select.select(watched, [], [], max(0.0, end - time.monotonic()))
            if not ready:
                return None
            if stderr in ready:
                words = os.read(stderr.fileno(), 65536)
                self._words = (self._words + words)[-_KEPT_WORDS:]
                if not words:
                    watched.remove(stderr)
            if stdout in ready:
                heard = os.read(stdout.fileno(), 65536)
                if not heard:
                    self._report_end()
                self._heard += heard
                if len(self._heard) > LARGEST:
                    self._kill()
                    raise ChildFailed("crashed", "it wrote too much output")
        line, _, self._heard = self._heard.partition(b"\n")
        return line

    def _report_end(self) -> NoReturn:
        """The child closed its pipes by itself: say how it ended."""
        try:
            code = self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            code = -signal.SIGKILL
        self._hear_last_words()
        self._kill()
        words = self._words.decode(errors="replace").strip()
        tail = f": {words.splitlines()[-1]}" if words else ""
        if code == -signal.SIGKILL and oom_kills(_FS) > self._oom_kills:
            raise ChildFailed("out_of_memory", "killed by the kernel for lack of memory")
        if code == -signal.SIGABRT and any(w in words for w in _ALLOCATION_WORDS):
            raise ChildFailed("out_of_memory", f"SIGABRT{tail}")
        if code < 0:
            raise ChildFailed("crashed", f"{signal.Signals(-code).name}{tail}")
        raise ChildFailed("crashed", f"exit code {code}{tail}")

    def _hear_last_words(self) -> None:
        stderr = self._process.stderr
        assert stderr is not None
        while select.select([stderr], [], [], 0)[0]:
            words = os.read(stderr.fileno(), 65536)
            if not words:
                return
            self._words = (self._words + words)[-_KEPT_WORDS:]

    def _kill(self) -> None:
        # Already gone is as good; macOS says EPERM for a group of zombies.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None and not pipe.closed:
                pipe.close()
        shutil.rmtree(self._home, ignore_errors=True)
