"""A device that somebody took over, behind a real sshd: it says what it likes, without end, and edgeq gets away in seconds."""

import contextlib
import os
import resource
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgeq.errors import DeviceError, RemoteFailed, Unreachable
from edgeq.transport import ssh_run
from edgeq.transport.arrival import reply_in
from edgeq.transport.ssh import SshTransport
from edgeq.transport.ssh_route import Choices
from tests.lab import sshd
from tests.lab.sshd import Sshd
from tests.transport.cutting_proxy import cutting

Connect = Callable[..., SshTransport]


@pytest.mark.parametrize("script", ["yes", "yes >&2", "cat /dev/zero", "cat /dev/zero >&2"])
def test_output_without_end_is_broken_off(server: Sshd, connect: Connect, script: str) -> None:
    device = connect(server)
    start, before = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(RemoteFailed, match="gave more than .* MB"):
        device.run(["sh", "-c", script])
    assert time.monotonic() - start < 30
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 400_000
    assert device.run(["echo", "still here"]).stdout == b"still here\n"


def test_a_file_without_end_is_not_fetched_for_ever(server: Sshd, connect: Connect, tmp_path: Path) -> None:
    with pytest.raises(RemoteFailed, match="gave more than 1 MB"):
        connect(server).get("/dev/zero", tmp_path / "here", most_bytes=1 << 20)
    assert list(tmp_path.glob("*here*")) == []


RECEIVERS = {
    "no JSON": "echo; echo 'edgeq {'",
    "deep": "echo; printf 'edgeq '; printf %0100000d 0 | tr 0 '['; echo",
    "a list": "echo; echo 'edgeq []'",
    "blocks of numbers": """echo; echo 'edgeq {"blocks": [1], "have": 1, "free": 1}'""",
    "more than there is": """echo; echo 'edgeq {"blocks": [], "have": 99999999, "free": 1}'""",
    "at minus one": """echo; echo 'edgeq {"at": -1}'""",
    "infinite": """echo; echo 'edgeq {"sealed": true, "hash_s": 1e400}'""",
    "an error without words": """echo; echo 'edgeq {"error": {}}'""",
    "sealed without a survey, false": """echo; echo 'edgeq {"sealed": false}'""",
    "a line without end": "echo; printf 'edgeq '; yes | tr -d '\\n'",
    "noise without end": "yes",
}


@pytest.mark.parametrize("script", RECEIVERS.values(), ids=RECEIVERS)
def test_a_receiver_that_lies_is_an_error_of_ours(
    server: Sshd, connect: Connect, tmp_path: Path, script: str
) -> None:
    liar = tmp_path / "python3"
    liar.write_text(f"#!/bin/sh\n{script}\nexit 0\n")
    liar.chmod(0o755)
    (tmp_path / "model").write_bytes(b"0123")
    device = connect(server)
    device._python = str(liar)
    start = time.monotonic()
    with pytest.raises(DeviceError, match="answers an upload with something other"):
        device.put(tmp_path / "model", str(tmp_path / "there"))
    assert time.monotonic() - start < 30 and not (tmp_path / "there").exists()


def test_what_the_receiver_says_is_understood() -> None:
    assert reply_in(b'{"at": 3}', 4, "pi").at == 3
    assert reply_in(b'{"sealed": true, "hash_s": 0.5, "sync_s": 0}', 4, "pi").sealed


def test_output_that_trickles_does_not_outlast_the_deadline(server: Sshd, connect: Connect) -> None:
    start = time.monotonic()
    with pytest.raises(RemoteFailed, match="did not end in time"):
        connect(server).run(["sh", "-c", "while echo x; do sleep 0.2; done"], timeout_s=2)
    assert time.monotonic() - start < 20


def test_a_pipe_that_nobody_writes_into_is_not_read_for_ever(
    server: Sshd, connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh_run, "FETCH_S", 2.0)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(RemoteFailed, match="fetching .*pipe did not end in time"):
        connect(server).get(str(tmp_path / "pipe"), tmp_path / "here")


@contextlib.contextmanager
def listening(greeting: bytes) -> Iterator[int]:
    """A port that takes connections, says `greeting`, and nothing more."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taken: list[socket.socket] = []

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    taken.append(listener.accept()[0])
                    taken[-1].sendall(greeting)

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        for connection in taken:
            connection.close()


@pytest.mark.parametrize(
    ("greeting", "words"),
    [
        (b"", "does not greet like an SSH server: it said nothing for 0.5 s"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "greeted: it said nothing for 0.5 s"),
    ],
    ids=["no greeting", "a greeting alone"],
)
@pytest.mark.parametrize("by", ["edgeq", "ConnectTimeout"])
def test_a_device_that_takes_the_connection_and_falls_silent(
    tmp_path: Path, greeting: bytes, words: str, by: str
) -> None:
    (tmp_path / "config").write_text("ConnectTimeout 1\n" if by == "ConnectTimeout" else "")
    start = time.monotonic()
    with listening(greeting) as port, pytest.raises(Unreachable) as silent:
        choices = Choices(config=tmp_path / "config")
        timeout_s = 600.0 if by == "ConnectTimeout" else 0.5
        SshTransport(f"pi@127.0.0.1:{port}", choices, timeout_s=timeout_s).connect()
    assert time.monotonic() - start < 30
    assert words.replace("0.5", "1" if by == "ConnectTimeout" else "0.5") in silent.value.what
    assert f"`ssh -v -p {port} pi@127.0.0.1`" in str(silent.value.remedy)


@pytest.mark.parametrize("at", ["the first word of the login", "a key"])
def test_a_server_that_falls_silent_during_the_login_has_not_refused_our_keys(
    server: Sshd, connect: Connect, tmp_path: Path, at: str
) -> None:
    """Frozen when the host key is accepted, or when a passphrase is asked for; no further key waits after that."""
    keys = [sshd.make_key(tmp_path / f"key-{n}", passphrase="open sesame") for n in range(3)]
    (tmp_path / "ssh_config").write_text("".join(f"IdentityFile {key}\n" for key in keys))
    asked: list[str] = []
    with cutting(server.port) as proxy:

        def ask(prompt: str) -> str:
            asked.append(prompt)
            proxy.freeze_after(0)
            return "open sesame"

        with pytest.raises(Unreachable, match="does not answer the login: it said nothing for 4 s"):
            connect(
                server,
                address=f"{server.user}@127.0.0.1:{proxy.port}",
                identity=None,
                known="",
                accept_new_host_key=True,
                on_note=lambda note: proxy.freeze_after(0) if at != "a key" else None,
                ask=ask,
                timeout_s=4.0,
            )
    assert len(asked) == (1 if at == "a key" else 0)


def test_a_login_shell_that_waits_for_ever_is_named(server: Sshd, connect: Connect) -> None:
    device = connect(server)
    with pytest.raises(RemoteFailed) as late:
        device.run(["sleep", "600"], timeout_s=0.5)
    assert f"`ssh -p {server.port} {server.user}@127.0.0.1 uptime`" in str(late.value.remedy)
