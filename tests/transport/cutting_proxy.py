"""A TCP proxy in front of a server that can cut (RST) or freeze its connections, at a byte of the test's choice."""

import contextlib
import selectors
import socket
import struct
import threading
from collections.abc import Iterator


class CuttingProxy:
    """`cut_after(n)`: the next connection that carries more than n bytes upwards is reset; once per call.
    `freeze_after(n)`: the same, but it falls silent, both ways, and stays open.
    """

    def __init__(self, port: int) -> None:
        self._upstream = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._plans: list[tuple[str, int]] = []
        self.cuts = 0
        self.turns = 0  # how often the server spoke after the client had
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def cut_after(self, count: int, *, for_good: bool = False) -> None:
        self._plans.append(("end" if for_good else "cut", count))

    def freeze_after(self, count: int) -> None:
        self._plans.append(("freeze", count))

    def refuse_all(self) -> None:
        """No connection any more, and those that are open are reset."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # close alone leaves a waiting accept() waiting
        self._listener.close()
        for sock in self._open:
            _reset(sock)

    def close(self) -> None:
        self.refuse_all()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._upstream))
                self._open += (near, far)
                threading.Thread(target=self._carry, args=(near, far), daemon=True).start()

    def _carry(self, near: socket.socket, far: socket.socket) -> None:
        up, client_spoke = 0, False
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
                    up += len(data) if key.fileobj is near else 0
                    self.turns += client_spoke and key.fileobj is far
                    client_spoke = key.fileobj is near
                    if self._plans and up > self._plans[0][1]:
                        kind, _ = self._plans.pop(0)
                        self.cuts += 1
                        if kind == "end":
                            self.refuse_all()
                        elif kind == "cut":
                            _reset(near)
                            _reset(far)
                        return  # frozen: nobody reads these two any more
                    key.data.sendall(data)


def _reset(sock: socket.socket) -> None:
    """Close with RST instead of FIN."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


@contextlib.contextmanager
def cutting(port: int) -> Iterator[CuttingProxy]:
    proxy = CuttingProxy(port)
    try:
        yield proxy
    finally:
        proxy.close()
