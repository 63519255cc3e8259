"""A device that somebody took over, behind a real sshd: it says what it likes, without end, and edgeq gets away in seconds."""

import os
import resource
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from edgeq.errors import DeviceError, RemoteFailed
from edgeq.transport import ssh_run
from edgeq.transport.arrival import reply_in
from edgeq.transport.ssh import SshTransport
from tests.lab.sshd import Sshd

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
    with pytest.raises(DeviceError, match="during an upload"):
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
