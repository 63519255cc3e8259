"""A command that ends before its input does: what comes late must not reach a channel that is gone."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from paramiko.common import MSG_CHANNEL_CLOSE, MSG_CHANNEL_DATA, MSG_CHANNEL_EOF, MSG_CHANNEL_WINDOW_ADJUST

from edgeq.transport.ssh import SshTransport
from edgeq.transport.ssh_in_order import Orderly
from tests.lab.sshd import Sshd

LATE = {
    "EOF": (MSG_CHANNEL_EOF, "", b""),
    "data": (MSG_CHANNEL_DATA, "", b"not read"),
    "a wider window": (MSG_CHANNEL_WINDOW_ADJUST, "head -c 1000000 /dev/zero;", b""),
}
ENDED = "Close session: "  # what sshd logs when it has freed a channel
LONG_S = 20.0


@pytest.mark.parametrize("what", LATE)
def test_the_connection_outlives_what_comes_after_the_end(
    what: str,
    server: Sshd,
    connect: Callable[..., SshTransport],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The command waits for the message to be made, the message for the command's channel to be gone: so a scheduler
    with more to do has it now and then, and OpenSSH ends the connection.
    """
    kind, output, stdin = LATE[what]
    made, closed, came_late = tmp_path / "made", threading.Event(), threading.Event()
    transport, notes, send = connect(server), list[str](), Orderly._send_user_message
    transport._on_note = notes.append

    def late(self: Orderly, message: object) -> None:
        number = message.asbytes()[0]  # type: ignore[attr-defined]
        first = number == kind and not made.exists()
        if first:
            sessions = server.log.count(ENDED)
            made.touch()
            assert closed.wait(LONG_S)
            until(lambda: server.log.count(ENDED) > sessions)
        send(self, message)  # type: ignore[arg-type]
        if number == MSG_CHANNEL_CLOSE:
            closed.set()
        if first:
            came_late.set()

    monkeypatch.setattr(Orderly, "_send_user_message", late)
    command = f"{output} until [ -e {made} ]; do sleep 0.01; done"
    assert transport.run(["sh", "-c", command], stdin=stdin).code == 0
    assert came_late.wait(LONG_S)

    assert transport.run(["echo", "still there"]).stdout == b"still there\n"
    assert notes == []
    assert "nonexistent channel" not in server.log


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + LONG_S
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)
