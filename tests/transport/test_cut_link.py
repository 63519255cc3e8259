"""A real sshd behind a proxy that resets or freezes the connection: what arrives, what is resent, what is said."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from edgeq.errors import LinkLost
from edgeq.transport.back_off import BackOff
from edgeq.transport.ssh import SshTransport
from tests.lab.sshd import Sshd
from tests.transport.conftest import AT_ONCE
from tests.transport.cutting_proxy import cutting
from tests.transport.test_contract import MIB, file_of

Connect = Callable[..., SshTransport]


@pytest.mark.parametrize("after", [200, 6_000, 20_000, 3 * MIB, 7 * MIB, 8 * MIB + 9_000])
def test_an_upload_survives_a_reset(server: Sshd, connect: Connect, tmp_path: Path, after: int) -> None:
    """From before the command (the login is some 5 kB) to the last bytes of the payload."""
    source, destination = file_of(tmp_path, 8 * MIB), tmp_path / "there"
    arrived: list[int] = []
    with cutting(server.port) as proxy:
        transport = connect(server, address=f"{server.user}@127.0.0.1:{proxy.port}")
        proxy.cut_after(after)
        transport.run(["true"]) if after < 1000 else None

        sent = transport.put(source, str(destination), progress=arrived.append)
        transport.close()

    assert proxy.cuts == 1
    assert destination.read_bytes() == source.read_bytes()
    assert not (tmp_path / "there.part").exists()
    assert sum(arrived) == 8 * MIB
    assert sent.attempts == (2 if after > 5_000 else 1)
    assert (sent.bytes_reused > 0) == (after >= 3 * MIB)


def test_an_upload_survives_a_link_that_falls_silent(server: Sshd, connect: Connect, tmp_path: Path) -> None:
    source, destination = file_of(tmp_path, 8 * MIB), tmp_path / "there"
    with cutting(server.port) as proxy:
        transport = connect(server, address=f"{server.user}@127.0.0.1:{proxy.port}", silence_s=2.0)
        proxy.freeze_after(4 * MIB)

        sent = transport.put(source, str(destination))
        transport.close()

    assert destination.read_bytes() == source.read_bytes()
    assert sent.attempts >= 2
    assert sent.bytes_reused > MIB


def test_each_cut_that_gained_something_is_forgiven(server: Sshd, connect: Connect, tmp_path: Path) -> None:
    """Six cuts are more than the back-off's tries, but every one of them left more of the file there."""
    source, destination = file_of(tmp_path, 20 * MIB), tmp_path / "there"
    with cutting(server.port) as proxy:
        transport = connect(server, address=f"{server.user}@127.0.0.1:{proxy.port}")
        for _ in range(6):
            proxy.cut_after(3 * MIB)

        sent = transport.put(source, str(destination))
        transport.close()

    assert sent.attempts == 7
    assert destination.read_bytes() == source.read_bytes()


def test_a_link_that_does_not_come_back(server: Sshd, connect: Connect, tmp_path: Path) -> None:
    waits: list[float] = []
    patient = BackOff(tries=4, first_s=1, longest_s=3, sleep=waits.append, chance=lambda: 0.0)
    with cutting(server.port) as proxy:
        transport = connect(server, address=f"{server.user}@127.0.0.1:{proxy.port}", back_off=patient)
        source = file_of(tmp_path, 8 * MIB)
        proxy.cut_after(4 * MIB, for_good=True)

        with pytest.raises(LinkLost, match="could not be restored.*refused"):
            transport.put(source, str(tmp_path / "there"))

    assert waits == [1, 2, 3]
    assert (tmp_path / "there.part").exists()
    assert not (tmp_path / "there").exists()


def test_a_command_is_never_repeated(server: Sshd, connect: Connect, tmp_path: Path) -> None:
    with cutting(server.port) as proxy:
        transport = connect(server, address=f"{server.user}@127.0.0.1:{proxy.port}")
        proxy.cut_after(200_000)

        with pytest.raises(LinkLost):
            transport.run(["sh", "-c", f"echo x >> {tmp_path}/ran; cat"], stdin=bytes(MIB))
        again = transport.run(["cat", f"{tmp_path}/ran"])

    assert again.stdout == b"x\n"


def test_a_command_on_a_silent_link_ends(
    server: Sshd, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgeq.transport.ssh_run.SILENCE_S", 0.5)
    with cutting(server.port) as proxy:
        transport = connect(server, address=f"{server.user}@127.0.0.1:{proxy.port}", timeout_s=2)
        proxy.freeze_after(100_000)

        with pytest.raises(LinkLost, match="nothing was heard"):
            transport.run(["cat"], stdin=bytes(MIB), timeout_s=600)


def test_a_quiet_command_is_not_taken_for_a_dead_link(
    server: Sshd, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgeq.transport.ssh_run.SILENCE_S", 0.1)

    assert connect(server).run(["sh", "-c", "sleep 0.5; echo done"]).stdout == b"done\n"


def test_ctrl_c_leaves_the_part_and_nothing_else(server: Sshd, connect: Connect, tmp_path: Path) -> None:
    source = file_of(tmp_path, 64 * MIB)

    def interrupt(count: int) -> None:
        raise KeyboardInterrupt

    transport = connect(server)
    with pytest.raises(KeyboardInterrupt):
        transport.put(source, str(tmp_path / "d" / "there"), progress=interrupt)
    assert [p.name for p in (tmp_path / "d").iterdir()] == ["there.part"]

    sent = transport.put(source, str(tmp_path / "d" / "there"))
    assert sent.bytes_reused > 0


def test_two_threads_share_one_link_and_its_return(server: Sshd, connect: Connect, tmp_path: Path) -> None:
    """A lease is renewed beside an upload while the link breaks under both."""
    source, destination = file_of(tmp_path, 16 * MIB), tmp_path / "there"
    notes: list[str] = []
    over = threading.Event()
    renewals: list[object] = []
    with cutting(server.port) as proxy:
        transport = connect(server, address=f"{server.user}@127.0.0.1:{proxy.port}", on_note=notes.append)
        proxy.cut_after(8 * MIB)

        def renew() -> None:
            while not over.wait(0.02):
                try:
                    renewals.append(transport.run(["true"]).code)
                except LinkLost as error:  # allowed: the command may have run
                    renewals.append(error)

        beside = threading.Thread(target=renew)
        beside.start()
        sent = transport.put(source, str(destination))
        over.set()
        beside.join()
        transport.close()

    assert destination.read_bytes() == source.read_bytes()
    assert sent.attempts >= 2  # each thread may find out for itself that a link is gone
    assert f"reconnected to {transport.label}" in notes
    assert renewals.count(0) >= 2


def test_a_small_upload_takes_few_round_trips(server: Sshd, connect: Connect, tmp_path: Path) -> None:
    """Session, command with survey, payload with seal: on a slow line round trips cost more than bytes."""
    with cutting(server.port) as proxy:
        transport = connect(server, address=f"{server.user}@127.0.0.1:{proxy.port}")
        before = proxy.turns
        transport.put(file_of(tmp_path, 1000), str(tmp_path / "there"))

        assert proxy.turns - before <= 6
        transport.close()


def test_back_off_doubles_up_to_its_limit_and_varies() -> None:
    waits: list[float] = []
    back_off = BackOff(first_s=0.5, longest_s=8, sleep=waits.append, chance=lambda: 0.5)
    for failures in range(1, 7):
        back_off.wait(failures)

    assert waits == [0.375, 0.75, 1.5, 3, 6, 6]
    assert AT_ONCE.tries == 4
