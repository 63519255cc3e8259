"""A real sshd per module, and how the tests log into it."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgeq.transport.back_off import BackOff
from edgeq.transport.base import Transport
from edgeq.transport.local import LocalTransport
from edgeq.transport.ssh import SshTransport
from edgeq.transport.ssh_route import Choices
from tests.conftest import missing
from tests.lab import sshd

AT_ONCE = BackOff(sleep=lambda seconds: None)


@pytest.fixture(autouse=True)
def no_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


@pytest.fixture(scope="module")
def server() -> Iterator[sshd.Sshd]:
    with serving() as running:
        yield running


def serving(**settings: object):  # type: ignore[no-untyped-def]
    """`sshd.running`, or a skip with the reason."""
    if reason := sshd.missing():
        missing(reason)
    return sshd.running(**settings)  # type: ignore[arg-type]


@pytest.fixture
def connect(tmp_path: Path) -> Iterator[Callable[..., SshTransport]]:
    """Log into a server whose host key is known, by the key that it accepts unless told otherwise."""
    opened: list[SshTransport] = []

    def connect(
        server: sshd.Sshd, *, address: str | None = None, known: str | None = None, **settings: object
    ) -> SshTransport:
        choices = choices_for(
            server, tmp_path, known=known, identity=settings.pop("identity", server.identity)
        )
        settings.setdefault("back_off", AT_ONCE)
        transport = SshTransport(address or server.address, choices, **settings)  # type: ignore[arg-type]
        opened.append(transport)
        transport.connect()
        return transport

    yield connect
    for transport in opened:
        transport.close()


def choices_for(
    server: sshd.Sshd, folder: Path, *, known: str | None = None, identity: object = None
) -> Choices:
    """`known` replaces the text of known_hosts; by default the server's own key is known, under any port."""
    known_hosts, config = folder / "known_hosts", folder / "ssh_config"
    any_port = server.known_hosts_line.replace(f":{server.port}", ":*", 1)
    known_hosts.write_text(any_port if known is None else known)
    if not config.exists():
        config.write_text("")
    return Choices(identity=identity, known_hosts=known_hosts, config=config)  # type: ignore[arg-type]


@pytest.fixture(params=["local", "ssh"])
def transport(
    request: pytest.FixtureRequest, server: sshd.Sshd, connect: Callable[..., SshTransport]
) -> Transport:
    """Both sides of the seam: what holds for one holds for the other."""
    return LocalTransport() if request.param == "local" else connect(server)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB."""
    if os.geteuid() != 0:
        missing("mounting a small tmpfs needs root")
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def runs(pid: int) -> bool:
    """A zombie does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
