"""One command over one channel: stdin fed, stdout and stderr drained, both with a deadline."""

import contextlib
import threading
import time
from collections.abc import Callable

import paramiko

from edgeq.errors import EdgeqError, RemoteFailed

from .base import MOST_OUTPUT, MOST_STDERR, Completed, Tail, too_much
from .ssh_errors import FOREIGN
from .ssh_link import Link, watched

CHUNK = 32_704  # what fits into one packet of OpenSSH's default size
SILENCE_S = 15.0  # of a command, before the link itself is asked whether it still lives
FETCH_S = 900.0  # of a file: its largest (deliver/fetched_array.py) takes as long at 300 kB/s
KILLED = -1  # the exit code of a command that a signal ended; sshd does not hand the number through paramiko


def execute(link: Link, channel: paramiko.Channel, command: str, timeout_s: float) -> None:
    """Start `command` on a fresh channel. Raises LinkLost; then the command may have started."""
    with link.in_use(), watched(link, timeout_s):
        channel.exec_command(command)


def finish(link: Link, channel: paramiko.Channel, stdin: bytes, name: str, timeout_s: float) -> Completed:
    """Feed, drain, and wait for the exit code. Raises LinkLost, RemoteFailed past `timeout_s` and for more output than
    base.MOST_OUTPUT.
    """
    stdout, stderr = bytearray(), Tail()
    deadline = time.monotonic() + timeout_s
    feeder = threading.Thread(target=_feed, args=(channel, stdin), name="edgeq-stdin", daemon=True)
    aside = threading.Thread(target=_drain_aside, args=(channel, stderr), name="edgeq-stderr", daemon=True)
    try:
        with link.in_use():
            feeder.start()
            aside.start()
            while chunk := _next(link, channel, deadline, name):
                stdout += chunk
                if len(stdout) > MOST_OUTPUT:
                    raise too_much(link.where, name, MOST_OUTPUT)
            if stderr.full:
                raise too_much(link.where, name, MOST_STDERR)
            _await(link, channel, deadline, name)
            aside.join(max(deadline - time.monotonic(), 0))
            if channel.exit_status == KILLED and not link.answers(SILENCE_S):
                raise EOFError  # paramiko ends the channels of a broken link before it calls the link broken
    finally:
        hang_up(channel)
    return Completed(channel.exit_status, bytes(stdout), bytes(stderr))


def stream(
    link: Link, channel: paramiko.Channel, keep: Callable[[bytes], object], most_bytes: int, name: str
) -> tuple[int, bytes]:
    """A command without stdin whose output may be long: pieces go to `keep`. Returns exit code and stderr. Raises LinkLost,
    RemoteFailed for more than `most_bytes` and past FETCH_S.
    """
    stderr, count, deadline = Tail(), 0, time.monotonic() + FETCH_S
    aside = threading.Thread(target=_drain_aside, args=(channel, stderr), name="edgeq-stderr", daemon=True)
    try:
        with link.in_use():
            channel.shutdown_write()
            aside.start()
            while chunk := _next(link, channel, deadline, name):
                count += len(chunk)
                if count > most_bytes:
                    raise too_much(link.where, name, most_bytes)
                _keep(chunk, keep)
            _await(link, channel, deadline, name)
            aside.join(SILENCE_S)
            if channel.exit_status == KILLED:
                raise EOFError
    finally:
        hang_up(channel)
    return channel.exit_status, bytes(stderr)


def _keep(chunk: bytes, keep: Callable[[bytes], object]) -> None:
    """Trouble on this side is not the link's."""
    try:
        keep(chunk)
    except OSError as error:
        raise EdgeqError(
            f"what was fetched cannot be stored here: {error.strerror}", "free space here"
        ) from error


def hang_up(channel: paramiko.Channel) -> None:
    """Ends the channel; on a dead link there is nobody to tell."""
    with contextlib.suppress(*FOREIGN):
        channel.close()


def _next(link: Link, channel: paramiko.Channel, deadline: float, name: str) -> bytes:
    """The next piece of stdout, nothing at its end. After each silence the link is asked whether it lives. One that trickles on
    past the deadline is late too.
    """
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            raise _too_long(link, name)
        channel.settimeout(max(min(SILENCE_S, left), 0.001))
        try:
            return channel.recv(1 << 20)
        except TimeoutError:
            if time.monotonic() >= deadline:
                raise _too_long(link, name) from None
            if not link.answers(SILENCE_S):
                raise TimeoutError(f"nothing was heard for {2 * SILENCE_S:g} s") from None


def _await(link: Link, channel: paramiko.Channel, deadline: float, name: str) -> None:
    """A command may close its stdout long before it ends."""
    if not channel.status_event.wait(max(deadline - time.monotonic(), 0)):
        raise _too_long(link, name)


def _too_long(link: Link, name: str) -> RemoteFailed:
    return RemoteFailed(
        f"{name or 'a command'} did not end in time on {link.where}; it may still run there",
        f"see what keeps the device busy: `ssh {link.for_ssh} uptime`. If that does not answer either, a login script there "
        "waits for something, or the device hangs: restart it",
    )


def _feed(channel: paramiko.Channel, stdin: bytes) -> None:
    try:
        for at in range(0, len(stdin), CHUNK):
            _send_all(channel, stdin[at : at + CHUNK])
        channel.shutdown_write()
    except FOREIGN:
        pass  # a command need not read all of its input; its exit code tells, or the reader notices the broken link


def _send_all(channel: paramiko.Channel, data: bytes) -> None:
    while data:
        try:
            sent = channel.send(data)
        except TimeoutError:  # a full window: the command is slow to read
            continue
        if sent == 0:
            raise EOFError
        data = data[sent:]


def _drain_aside(channel: paramiko.Channel, into: Tail) -> None:
    """Ends the channel when it gets too much: whoever reads stdout then sees its end, and looks at `into`."""
    while True:
        try:
            chunk = channel.recv_stderr(1 << 20)
        except TimeoutError:
            continue
        if not chunk:
            return
        into.add(chunk)
        if into.full:
            hang_up(channel)
            return
