"""A ProxyCommand: the user's own way to a device, one process on a socket. It ends with the connection that it serves.

What it says on stderr is handed on line by line: it never gets our own, which it would hold open when we are gone.
"""

import contextlib
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Callable

import paramiko

_LONGEST_LINE = 600  # bytes
_ENDS_WITHIN_S = 1.0  # after SIGTERM, and for the last words to arrive


class ProxyCommand:
    """Run by the user's shell, as OpenSSH does. (paramiko.ProxyCommand does not notice the command's end.)"""

    def __init__(self, command: str, on_line: Callable[[str], None]) -> None:
        self._command, self._on_line = command, on_line
        self._socket, theirs = socket.socketpair()
        # One that asks for a passphrase on the terminal has to stay in the group that may read there.
        self._own_group = not _has_terminal()
        with theirs:
            self._process = subprocess.Popen(
                [os.environ.get("SHELL") or "/bin/sh", "-c", f"exec {command}"],
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=subprocess.PIPE,
                bufsize=0,  # a buffer's lock, held by a thread that reads, can abort the interpreter's end
                process_group=0 if self._own_group else None,
            )
        self._reader = threading.Thread(target=self._hand_on, name="edgeq-proxy-command", daemon=True)
        self._reader.start()

    def connected(self, passes_socket: bool, timeout_s: float) -> socket.socket:
        """What leads to the device: our end, or (ProxyUseFdpass) the socket that the command opened and passed."""
        if not passes_socket:
            return self._socket
        with self._socket as ours:
            ours.settimeout(timeout_s)
            _, handles, _, _ = socket.recv_fds(ours, 1, 1)
        if not handles:
            raise paramiko.ProxyCommandFailure(self._command, "it passed no socket (ProxyUseFdpass)")
        return socket.socket(fileno=handles[0])

    def end(self) -> None:
        """It, and with no terminal to ask on all that it started. Its last words are handed on before this returns."""
        self._socket.close()
        self._signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_ENDS_WITHIN_S)
        self._signal(signal.SIGKILL)
        self._process.wait()
        self._reader.join(_ENDS_WITHIN_S)

    def _signal(self, number: signal.Signals) -> None:
        # macOS answers "not permitted" for a group of which only a dead process is left
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if self._own_group:
                os.killpg(self._process.pid, number)
            else:
                self._process.send_signal(number)

    def _hand_on(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as said:
            while line := said.readline(_LONGEST_LINE):
                if words := line.decode("utf-8", "replace").strip():
                    self._on_line(words)


def _has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True
