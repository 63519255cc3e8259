"""The seam between edgeq and a device. Knows nothing of models, bundles or the agent."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from edgeq.errors import RemoteFailed
from edgeq.nouns.json_text import LARGEST

# A command that says more on stdout is broken off: the largest answer there is, and its newline.
MOST_OUTPUT = LARGEST + 4096
# Of stderr the end is kept, as a race tells its progress there; a command that says more than this is broken off too.
KEPT_STDERR = 64 << 10
MOST_STDERR = 64 << 20

# Called with the number of bytes that just arrived. The sum of all calls is the file's size once `put` returns: what was
# there already is told at once, and what a broken link took back is told as a negative number.
Progress = Callable[[int], None]


@dataclass(frozen=True)
class Completed:
    """A command that ended on the device; a negative code when a signal ended it. `stderr` is the end of what it said there."""

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

        Raises LinkLost when the connection breaks before the command's end is known, RemoteFailed past `timeout_s` and for
        more output than MOST_OUTPUT and MOST_STDERR.
        """

    def put(
        self, source: Path, destination: str, *, sha256: str | None = None, progress: Progress | None = None
    ) -> Sent:
        """Make `destination` hold the bytes of `source`: sent beside it, resumed after a broken link, hashed on the
        device, fsynced, renamed; the parent folder is made. A complete file of the right hash is not sent again.

        Raises LinkLost, NoSpace, ReadOnly, ArtifactCorrupt.
        """

    def get(self, source: str, destination: Path, *, most_bytes: int = MOST_OUTPUT) -> None:
        """Fetch a file, written beside `destination` and renamed. Raises RemoteFailed when it is not there or longer than
        `most_bytes`.
        """

    def exists(self, path: str) -> bool: ...

    def close(self) -> None: ...


class Tail:
    """The end of a stream that may be long. `full` once more than `most` bytes came."""

    def __init__(self, kept: int = KEPT_STDERR, most: int = MOST_STDERR) -> None:
        self._kept, self._most = kept, most
        self._end, self._count = b"", 0

    def add(self, chunk: bytes) -> None:
        self._count += len(chunk)
        self._end = (self._end + chunk)[-self._kept :]

    @property
    def full(self) -> bool:
        return self._count > self._most

    def __bytes__(self) -> bytes:
        return self._end


def too_much(where: str, name: str, most: int) -> RemoteFailed:
    return RemoteFailed(
        f"{name} on {where} gave more than {most >> 20} MB: it was broken off",
        "run it again; if it happens again, see what that program is on the device",
    )
