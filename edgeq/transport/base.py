"""The seam between edgeq and a device. Knows nothing of models, bundles or the agent."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

# Called with the number of bytes that just arrived. The sum of all calls is the file's size once `put` returns: what was
# there already is told at once, and what a broken link took back is told as a negative number.
Progress = Callable[[int], None]


@dataclass(frozen=True)
class Completed:
    """A command that ended on the device; a negative code when a signal ended it."""

    code: int
    stdout: bytes
    stderr: bytes


@dataclass(frozen=True)
class Sent:
    """One file that is now complete, verified and durable on the device; seconds of sending and of sealing apart."""

    bytes_sent: int
    bytes_reused: int
    send_s: float
    seal_s: float
    attempts: int


class Transport(Protocol):
    """Paths on the device are absolute POSIX paths. Every failure is a DeviceError of edgeq.errors.

    `label` is how the device is called in what people read ("pi@10.0.0.5", "this machine"); `route` is how it is
    reached and where that was found, empty where nothing lies between.
    """

    label: str
    route: str

    def run(self, command: Sequence[str], *, stdin: bytes = b"", timeout_s: float = 60.0) -> Completed:
        """Run a command (no shell on either side: words stay words); the exit code is the caller's to judge.

        Raises LinkLost when the connection breaks before the command's end is known, RemoteFailed past `timeout_s`.
        """

    def put(
        self, source: Path, destination: str, *, sha256: str | None = None, progress: Progress | None = None
    ) -> Sent:
        """Make `destination` hold the bytes of `source`: sent beside it, resumed after a broken link, hashed on the
        device, fsynced, renamed; the parent folder is made. A complete file of the right hash is not sent again.

        Raises LinkLost, NoSpace, ReadOnly, ArtifactCorrupt.
        """

    def get(self, source: str, destination: Path) -> None:
        """Fetch a file, written beside `destination` and renamed. Raises RemoteFailed when it is not there."""

    def exists(self, path: str) -> bool: ...

    def close(self) -> None: ...
