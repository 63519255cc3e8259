"""edgeq's own command line, told apart by nothing but this: before each step on the wire it says which one begins.

Run as a program: `python faults_edgeq.py deploy ...`, with $FAULTS_EAR the socket that hears (faults_cable.py).
"""

import os
import socket
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from edgeq.transport.base import MOST_OUTPUT, Completed, Progress, Sent, Transport
from edgeq.transport.open import open_transport


class Announced:
    """A transport that says what it is about to do, and waits until that was heard."""

    def __init__(self, inner: Transport, say: Callable[[str], None]) -> None:
        self._inner, self._say, self.label, self.route = inner, say, inner.label, inner.route

    def run(self, command: Sequence[str], *, stdin: bytes = b"", timeout_s: float = 60.0) -> Completed:
        self._say("hello" if command[0] == "sh" else command[-1])
        return self._inner.run(command, stdin=stdin, timeout_s=timeout_s)

    def put(
        self, source: Path, destination: str, *, sha256: str | None = None, progress: Progress | None = None
    ) -> Sent:
        self._say(
            f"put {'agent' if source.suffix == '.pyz' else 'wheel' if source.suffix == '.whl' else 'file'}"
        )
        return self._inner.put(source, destination, sha256=sha256, progress=progress)

    def get(self, source: str, destination: Path, *, most_bytes: int = MOST_OUTPUT) -> None:
        self._say("get")
        self._inner.get(source, destination, most_bytes=most_bytes)

    def exists(self, path: str) -> bool:
        return self._inner.exists(path)

    def close(self) -> None:
        self._inner.close()


def announcer(ear: str) -> Callable[[str], None]:
    voice = socket.socket(socket.AF_UNIX)
    voice.connect(ear)
    lines, turn = voice.makefile("rw"), threading.Lock()

    def say(step: str) -> None:
        with turn:
            lines.write(step + "\n")
            lines.flush()
            lines.readline()

    return say


def main() -> None:
    from edgeq.__main__ import main as edgeq
    from edgeq.deliver import session

    say = announcer(os.environ["FAULTS_EAR"])

    def opened(*words: object, **options: object) -> Announced:
        say("connect")
        return Announced(open_transport(*words, **options), say)  # type: ignore[arg-type]

    session.open_transport = opened  # type: ignore[assignment]
    edgeq()


if __name__ == "__main__":
    main()
