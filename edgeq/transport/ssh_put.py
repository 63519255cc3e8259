"""One attempt to make a file arrive over an open link. Knows the receiver's protocol (receive_on_device.py).

Two round trips before the first byte of payload (session, then command and survey), one after the last. No SFTP
server is needed: the receiver writes at the device's own pace, says the true errno, and verifies what it wrote.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import paramiko

from edgeq.errors import ArtifactCorrupt, EdgeqError

from . import receive_on_device
from .arrival import BLOCK, Reply, longest_reply, no_receiver, reply_in, verified_prefix
from .base import Progress
from .shell_words import one_line
from .ssh_link import Link, Watch, watched
from .ssh_run import CHUNK, KILLED, execute, hang_up

PROGRAM = Path(receive_on_device.__file__)
_MARK = receive_on_device.MARK.encode()
_POLL_S = 0.25
# A card that is failing may take minutes for one fsync, during which the receiver's heart beats.
_STANDSTILL_S = 900.0
_MOST_NOISE = 1 << 20  # bytes of a login script
_MOST_REPLIES = 8
_END_S = 2.0  # a receiver that has said its last word exits at once


@dataclass(frozen=True)
class Upload:
    """What is to arrive where; `sha256` is what the device must find."""

    source: Path
    destination: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Outcome:
    """`reply` is the receiver's last word; None when it ended without one (no python3 there, for instance)."""

    reply: Reply | None
    seal_s: float
    exit_code: int
    stderr: str


class Ledger:
    """Over all attempts: payload bytes `sent`, bytes `reused` by the last one, and where the upload stands.

    The sum of all calls to `progress` is the file's size once it has arrived. A broken link takes back what was under
    way, so a call can be negative.
    """

    def __init__(self, progress: Progress | None) -> None:
        self._progress, self._at, self.sent, self.reused = progress, 0, 0, 0

    def stands_at(self, at: int) -> None:
        if self._progress is not None and at != self._at:
            self._progress(at - self._at)
        self._at = at


class Conversation:
    """The receiver's replies, line by line; any byte from it tells the watch that the link lives, until it has stood where it
    is for _STANDSTILL_S. Raises RemoteFailed for what the receiver does not say.
    """

    def __init__(
        self, channel: paramiko.Channel, watch: Watch, ledger: Ledger, size: int, where: str
    ) -> None:
        self._channel, self._watch, self._ledger, self._size = channel, watch, ledger, size
        self._where = where
        self._buffer = b""
        self._replies: list[Reply] = []
        self._noise = 0
        self._at, self._moved = -1, time.monotonic()
        channel.settimeout(_POLL_S)

    def listen(self) -> None:
        """Takes what is there already; never waits."""
        while self._channel.recv_ready():
            self._take(self._channel.recv(1 << 16))

    def reply(self) -> Reply | None:
        """The next reply that is more than a heartbeat; None at the end."""
        while not self._replies:
            try:
                chunk = self._channel.recv(1 << 16)
            except TimeoutError:
                continue
            if not chunk:
                return None
            self._take(chunk)
        return self._replies.pop(0)

    def _take(self, chunk: bytes) -> None:
        self._watch.heard()
        *lines, self._buffer = (self._buffer + chunk).split(b"\n")
        if len(self._buffer) > longest_reply(self._size):
            raise no_receiver(self._where, "its line does not end")
        for line in lines:
            if not line.startswith(_MARK):
                self._noise += len(line)  # what a login script prints
                continue
            reply = reply_in(line[len(_MARK) :], self._size, self._where)
            if reply.at is None:
                self._replies.append(reply)
                continue
            self._ledger.stands_at(max(reply.at, self._ledger.reused))
            if reply.at > self._at:
                self._at, self._moved = reply.at, time.monotonic()
        if self._noise > _MOST_NOISE or len(self._replies) > _MOST_REPLIES:
            raise no_receiver(self._where, "it says more than there is to say")
        if time.monotonic() - self._moved > _STANDSTILL_S:
            raise no_receiver(
                self._where, f"nothing arrived for {_STANDSTILL_S:g} s, though it says that it lives"
            )


def attempt(
    link: Link,
    channel: paramiko.Channel,
    upload: Upload,
    ledger: Ledger,
    python: str,
    silence_s: float,
    timeout_s: float,
) -> Outcome:
    """Survey, send what is missing, have it sealed. Raises LinkLost; what arrived by then stays on the device."""
    order = {
        "path": upload.destination,
        "size": upload.size,
        "sha256": upload.sha256,
        "block": BLOCK,
        "idle_s": silence_s,
    }
    words = (python, "-I", "-S", "-c", PROGRAM.read_text("utf-8"), json.dumps(order))
    try:
        execute(link, channel, one_line(words), timeout_s)
        with link.in_use(), watched(link, silence_s) as watch:
            reply = _converse(
                channel, upload, ledger, Conversation(channel, watch, ledger, upload.size, link.where)
            )
            return _outcome(link, channel, reply)
    finally:
        hang_up(channel)


def _converse(
    channel: paramiko.Channel, upload: Upload, ledger: Ledger, receiver: Conversation
) -> Reply | None:
    reply = receiver.reply()
    if reply is not None and reply.blocks is not None:
        ledger.reused = verified_prefix(upload.source, reply.blocks, reply.have)
        ledger.stands_at(ledger.reused)
        _send(channel, upload, ledger, receiver)
        reply = receiver.reply()
    if reply is not None and reply.complete:
        ledger.reused = upload.size
    if reply is not None and (reply.complete or reply.sealed):
        ledger.stands_at(upload.size)
    return reply


def _send(channel: paramiko.Channel, upload: Upload, ledger: Ledger, receiver: Conversation) -> None:
    """Everything behind the verified prefix. Stops early when the receiver ends: its last reply says why."""
    if not _send_all(channel, b"%d\n" % ledger.reused, receiver):
        return
    for data in _chunks(upload, ledger.reused):
        if not _send_all(channel, data, receiver):
            return
        ledger.sent += len(data)
        receiver.listen()
    channel.shutdown_write()


def _chunks(upload: Upload, start: int) -> Iterator[bytes]:
    """The source's bytes from `start` on. Trouble with it is this side's, not the link's."""
    left = upload.size - start
    try:
        with upload.source.open("rb") as file:
            file.seek(start)
            while left:
                data = file.read(min(CHUNK, left))
                if not data:
                    raise ArtifactCorrupt(f"{upload.source} became shorter while it was sent", "run again")
                left -= len(data)
                yield data
    except OSError as error:
        raise EdgeqError(f"{upload.source} cannot be read: {error.strerror}", "check that file") from error


def _send_all(channel: paramiko.Channel, data: bytes, receiver: Conversation) -> bool:
    while data:
        try:
            sent = channel.send(data)
        except (
            TimeoutError
        ):  # the window is full: the device is slower than the link, or gone; the watch decides
            receiver.listen()
            continue
        except OSError:  # paramiko's "Socket is closed"
            return False
        if sent == 0:
            return False
        data = data[sent:]
    return True


def _outcome(link: Link, channel: paramiko.Channel, reply: Reply | None) -> Outcome:
    channel.status_event.wait(_END_S)  # where MaxSessions is 1, the next session has to wait for it too
    if reply is not None:
        return Outcome(reply, reply.hash_s + reply.sync_s, 0, "")
    if channel.exit_status == KILLED and not link.answers(_END_S):
        raise EOFError
    stderr = channel.recv_stderr(4096).decode("utf-8", "replace") if channel.recv_stderr_ready() else ""
    return Outcome(None, 0.0, channel.exit_status, stderr.strip())
