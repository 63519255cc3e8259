"""A server that allows one session per connection (MaxSessions 1): a real sshd with that setting."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgeq.errors import RemoteFailed
from edgeq.transport.ssh import MOST_FURTHER, SshTransport
from tests.lab.sshd import Sshd
from tests.transport.conftest import serving

Connect = Callable[..., SshTransport]
LONG_S = 30.0


@pytest.fixture(scope="module")
def server() -> Iterator[Sshd]:
    with serving(options={"MaxSessions": "1"}) as running:
        yield running


def test_one_after_the_other_on_one_connection(server: Sshd, connect: Connect, tmp_path: Path) -> None:
    notes: list[str] = []
    transport = connect(server, on_note=notes.append)
    source = tmp_path / "source"
    source.write_bytes(bytes(3_000_000))
    logins = server.log.count("Accepted publickey")

    for i in range(8):
        assert transport.run(["echo", str(i)], stdin=b"not read").stdout == f"{i}\n".encode()
        assert transport.put(source, str(tmp_path / f"there{i}")).bytes_sent == 3_000_000
        assert transport.exists(str(tmp_path / f"there{i}"))
        transport.get(str(tmp_path / f"there{i}"), tmp_path / "back")

    assert notes == []
    assert server.log.count("Accepted publickey") == logins


def test_a_second_one_while_the_first_runs_takes_a_further_connection(
    server: Sshd, connect: Connect, tmp_path: Path
) -> None:
    """As the device's lock is renewed, and a measurement is withdrawn, while a command runs."""
    notes: list[str] = []
    transport = connect(server, on_note=notes.append)
    logins = server.log.count("Accepted publickey")
    release = tmp_path / "release"
    command = ["sh", "-c", f"touch {tmp_path}/runs; until [ -e {release} ]; do sleep 0.01; done; echo ended"]
    ended: list[bytes] = []
    first = threading.Thread(target=lambda: ended.append(transport.run(command, timeout_s=LONG_S).stdout))
    first.start()
    source = tmp_path / "source"
    source.write_bytes(bytes(1_000_000))

    for i in range(3):
        assert transport.run(["echo", "meanwhile"]).stdout == b"meanwhile\n"
        assert transport.put(source, str(tmp_path / f"there{i}")).bytes_sent == 1_000_000
    release.touch()
    first.join(LONG_S)

    assert ended == [b"ended\n"]
    assert server.log.count("Accepted publickey") == logins + 1  # one more for all of them
    assert len(notes) == 1
    assert "MaxSessions" in notes[0]


def test_after_a_command_that_went_on_too_long(server: Sshd, connect: Connect) -> None:
    """It still runs on the device and holds its session there."""
    transport = connect(server)
    with pytest.raises(RemoteFailed, match="did not end in time"):
        transport.run(["sleep", "600"], timeout_s=0.3)

    assert transport.run(["echo", "still there"]).stdout == b"still there\n"


def test_many_at_once_and_no_more_connections_than_that(
    server: Sshd, connect: Connect, tmp_path: Path
) -> None:
    transport = connect(server)
    logins = server.log.count("Accepted publickey")
    release = tmp_path / "release"
    command = ["sh", "-c", f"until [ -e {release} ]; do sleep 0.01; done"]
    codes: list[int] = []
    threads = [
        threading.Thread(target=lambda: codes.append(transport.run(command, timeout_s=LONG_S).code))
        for _ in range(MOST_FURTHER + 1)
    ]
    for thread in threads:
        thread.start()
    release.touch()
    for thread in threads:
        thread.join(LONG_S)

    assert codes == [0] * len(threads)
    assert server.log.count("Accepted publickey") <= logins + MOST_FURTHER


def test_a_server_that_allows_none_says_so(connect: Connect) -> None:
    with (
        serving(options={"MaxSessions": "0"}) as server,
        pytest.raises(RemoteFailed, match="opens no further session") as refused,
    ):
        connect(server).run(["true"])

    assert "MaxSessions" in str(refused.value.remedy)
