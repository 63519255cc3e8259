"""Devices that lack things: an SFTP server, a second session, a quiet login, python3 where it is looked for."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edgeq.errors import DeviceUnfit, RemoteFailed
from edgeq.transport.ssh import SshTransport
from tests.conftest import missing
from tests.lab.sshd import OWN_ENVIRONMENT, Sshd
from tests.transport.conftest import serving
from tests.transport.test_contract import MIB, file_of

Connect = Callable[..., SshTransport]


def test_without_an_sftp_server(connect: Connect, tmp_path: Path) -> None:
    source, destination = file_of(tmp_path, 3 * MIB), tmp_path / "there"
    (tmp_path / "there.part").write_bytes(source.read_bytes()[:MIB])
    with serving(sftp=False) as server:
        transport = connect(server)
        sent = transport.put(source, str(destination))
        transport.get(str(destination), tmp_path / "back")

    assert sent.bytes_reused == MIB
    assert (tmp_path / "back").read_bytes() == source.read_bytes()


def test_with_one_session_at_a_time(connect: Connect, tmp_path: Path) -> None:
    with serving(options={"MaxSessions": "1"}) as server:
        transport = connect(server)
        transport.put(file_of(tmp_path, MIB), str(tmp_path / "there"))

        assert transport.run(["cat", str(tmp_path / "there")]).stdout == (tmp_path / "there").read_bytes()


def test_a_login_that_talks(connect: Connect, tmp_path: Path) -> None:
    """Noise before a command's own output, as from an echo in .bashrc, and no newline at its end."""
    noise = "ForceCommand printf 'Welcome!'; eval \"$SSH_ORIGINAL_COMMAND\""
    with serving(options={"PrintMotd": f"no\n{noise}"}) as server:
        connect(server).put(file_of(tmp_path, MIB), str(tmp_path / "there"))

    assert (tmp_path / "there").stat().st_size == MIB


@contextmanager
def only(folder: Path, *programs: tuple[str, str]) -> Iterator[Sshd]:
    """A server whose sessions find these programs alone: (name, what it is)."""
    folder.mkdir()
    for name, target in programs:
        (folder / name).symlink_to(target)
    with serving(options={"SetEnv": f"{OWN_ENVIRONMENT} PATH={folder}"}) as server:
        yield server


def test_python_is_found_where_the_path_does_not_lead(connect: Connect, tmp_path: Path) -> None:
    if not Path("/usr/bin/python3").exists():
        missing("this machine keeps its python3 elsewhere")
    with only(tmp_path / "bin", ("sh", "/bin/sh"), ("ls", "/bin/ls")) as server:
        connect(server).put(file_of(tmp_path, 10), str(tmp_path / "there"))

    assert (tmp_path / "there").stat().st_size == 10


def test_no_python_at_all(connect: Connect, tmp_path: Path) -> None:
    with only(tmp_path / "bin", ("sh", "/bin/sh")) as server, pytest.raises(DeviceUnfit, match="no python3"):
        connect(server).put(file_of(tmp_path, 10), str(tmp_path / "there"))


def test_a_python_that_breaks(connect: Connect, tmp_path: Path) -> None:
    broken = tmp_path / "python3"
    broken.write_text("#!/bin/sh\necho 'cannot import encodings' >&2\nexit 3\n")
    broken.chmod(0o755)
    with (
        only(tmp_path / "bin", ("sh", "/bin/sh"), ("python3", os.fspath(broken))) as server,
        pytest.raises(RemoteFailed, match="exit code 3") as refused,
    ):
        connect(server).put(file_of(tmp_path, 10), str(tmp_path / "there"))

    assert refused.value.details == ("cannot import encodings",)
