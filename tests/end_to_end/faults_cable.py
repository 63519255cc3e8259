"""The network between host and device: a TCP relay that counts bytes and breaks where it was told to.

The host says which step begins (faults_edgeq.py) and waits until that was heard, so a break falls into the same
message of the same step every time, however busy the machine is.
"""

import contextlib
import selectors
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Point:
    """A moment in the first `step` of that name: its beginning; or when more than `up` bytes went to the device since, or
    `down` bytes came from it (what was asked is done, its answer is not heard yet).
    """

    step: str
    up: int | None = None
    down: int | None = None


class Cable:
    """Listens on `port` of 127.0.0.1 and leads to `far`; hears the host's steps at `ear`."""

    def __init__(self, far: tuple[str, int], ear: Path) -> None:
        self._far = far
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.ear = ear
        self._ears = socket.socket(socket.AF_UNIX)
        self._ears.bind(str(ear))
        self._ears.listen()
        self.steps: list[str] = []
        self.counted: list[tuple[int, int]] = []  # bytes up and down of each step that is over
        self.reached = threading.Event()
        self._up = self._down = 0
        self._plan: tuple[Point, Callable[[], object]] | None = None
        self._open: list[socket.socket] = []
        for loop in (self._accept, self._hear):
            threading.Thread(target=loop, daemon=True).start()

    def at(self, point: Point, act: Callable[[], object]) -> None:
        """Do this at that point, once; what comes after it waits."""
        self._plan = (point, act)
        self.reached.clear()

    def cut(self) -> None:
        """Everything that is connected is reset; new connections are made."""
        for sock in self._open:
            _reset(sock)
        self._open = []

    def unplug(self) -> None:
        """Cut, and no connection is made any more."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # close alone leaves accept() waiting
        self._listener.close()
        self.cut()

    def close(self) -> None:
        self.unplug()
        self._ears.close()

    def _hear(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                voice, _ = self._ears.accept()
                threading.Thread(target=self._listen, args=(voice,), daemon=True).start()

    def _listen(self, voice: socket.socket) -> None:
        """Each line is a step that begins; it is answered when its bytes are counted from zero."""
        with contextlib.suppress(OSError), voice, voice.makefile("rw") as lines:
            for line in lines:
                self.counted += [(self._up, self._down)] if self.steps else []
                self._up = self._down = 0
                self.steps.append(line.strip())
                self._act_if_there()
                lines.write("heard\n")
                lines.flush()

    def _act_if_there(self) -> None:
        if self._plan is None or self.steps[-1:] != [self._plan[0].step]:
            return
        point, act = self._plan
        if self._up > (point.up or -1) and self._down > (point.down or -1):
            self._plan = None
            act()
            self.reached.set()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(self._far)
                self._open += (near, far)
                threading.Thread(target=self._carry, args=(near, far), daemon=True).start()

    def _carry(self, near: socket.socket, far: socket.socket) -> None:
        with selectors.DefaultSelector() as ready, contextlib.suppress(OSError, ValueError):
            ready.register(near, selectors.EVENT_READ, far)
            ready.register(far, selectors.EVENT_READ, near)
            while True:
                for key, _ in ready.select():
                    data = key.fileobj.recv(1 << 14)  # type: ignore[union-attr]
                    if not data:
                        near.close()
                        far.close()
                        return
                    self._up += len(data) if key.fileobj is near else 0
                    self._down += len(data) if key.fileobj is far else 0
                    self._act_if_there()
                    key.data.sendall(data)


def _reset(sock: socket.socket) -> None:
    """Close with RST instead of FIN."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


@contextlib.contextmanager
def cable(far: tuple[str, int], ear: Path) -> Iterator[Cable]:
    made = Cable(far, ear)
    try:
        yield made
    finally:
        made.close()
