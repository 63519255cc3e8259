"""What an ssh configuration names may be anything; nothing of it makes edgeq wait or grow."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from edgeq.errors import AuthRefused, HostKeyRefused
from edgeq.transport.bounded_file import bounded
from edgeq.transport.known_hosts import OfferedKey
from edgeq.transport.revoked_keys import refuse_revoked
from edgeq.transport.ssh import SshTransport
from edgeq.transport.ssh_certificate import NoCertificate, read_certificate
from edgeq.transport.ssh_keys import public_half
from tests.lab import sshd
from tests.lab.sshd import Sshd

Connect = Callable[..., SshTransport]


@pytest.fixture(params=["pipe", "endless"])
def strange(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "strange"
    if request.param == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    return path


def test_a_file_up_to_its_limit(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345678")

    assert bounded(tmp_path / "file", 8) == b"12345678"
    assert bounded(Path("/dev/null")) == b""
    with pytest.raises(OSError, match="more than"):
        bounded(tmp_path / "file", 7)


def test_what_is_no_file_is_no_key_and_no_certificate(strange: Path) -> None:
    assert public_half(strange) is None
    with pytest.raises(NoCertificate, match=r"a pipe|more than 1 MB"):
        read_certificate(strange)
    with pytest.raises(HostKeyRefused, match=r"a pipe|more than 64 MB"):
        refuse_revoked(strange, "pi", OfferedKey("ssh-ed25519", b"key"))


def test_an_identity_that_is_no_file(server: Sshd, connect: Connect, strange: Path, tmp_path: Path) -> None:
    (tmp_path / "ssh_config").write_text(f"IdentityFile {strange}\n")

    with pytest.raises(AuthRefused) as refused:
        connect(server, identity=None)

    assert any("a pipe" in line or "more than 1 MB" in line for line in refused.value.details)


def test_a_pipe_in_the_place_of_a_keys_certificate(server: Sshd, connect: Connect, tmp_path: Path) -> None:
    key = sshd.make_key(tmp_path / "key")
    os.mkfifo(tmp_path / "key-cert.pub")

    with pytest.raises(AuthRefused) as refused:
        connect(server, identity=key)

    assert any("a pipe" in line for line in refused.value.details)
