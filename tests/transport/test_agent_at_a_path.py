"""IdentityAgent: an agent somewhere else than at $SSH_AUTH_SOCK, each a real ssh-agent."""

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgeq.errors import AuthRefused
from edgeq.transport.ssh import SshTransport
from tests.lab import sshd
from tests.lab.ssh_agent import add_key, agent_at
from tests.lab.sshd import Sshd
from tests.transport.conftest import serving

Connect = Callable[..., SshTransport]


@pytest.fixture
def agent(tmp_path: Path, server: Sshd) -> Iterator[Path]:
    """It holds the key that the server accepts."""
    with agent_at(tmp_path / "an agent") as path:
        add_key(path, server.identity)
        yield path


@pytest.mark.parametrize(
    "written", ['"FOLDER/an agent"', "~/agent", "${MY_AGENT}", "$MY_AGENT", "~/agent.%r"]
)
def test_the_agent_that_the_configuration_names(
    server: Sshd,
    connect: Connect,
    agent: Path,
    own_home: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    written: str,
) -> None:
    monkeypatch.setenv("MY_AGENT", str(agent))
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "another"))
    for name in ("agent", f"agent.{server.user}"):
        (own_home / name).symlink_to(agent)
    (tmp_path / "ssh_config").write_text(f"IdentityAgent {written.replace('FOLDER', str(tmp_path))}\n")

    assert connect(server, identity=None).run(["true"]).code == 0


def test_none_leaves_the_agent_alone(
    server: Sshd, connect: Connect, agent: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", str(agent))
    (tmp_path / "ssh_config").write_text("IdentityAgent none\n")

    with pytest.raises(AuthRefused, match="no key to offer"):
        connect(server, identity=None)


def test_identities_only_takes_the_named_keys_out_of_a_full_agent(
    server: Sshd, connect: Connect, agent: Path, tmp_path: Path
) -> None:
    """Only its public half is here."""
    for i in range(8):
        add_key(agent, sshd.make_key(tmp_path / f"other{i}"))
    public = tmp_path / "named.pub"
    public.write_bytes(server.identity.with_suffix(".pub").read_bytes())
    (tmp_path / "ssh_config").write_text(
        f'IdentityAgent "{agent}"\nIdentitiesOnly yes\nIdentityFile {tmp_path / "absent"}\nIdentityFile {public}\n'
    )

    assert connect(server, identity=None).run(["true"]).code == 0


def test_the_order_of_what_is_offered(connect: Connect, tmp_path: Path) -> None:
    """Of the agent's keys the named ones first, in the order of their naming; then its others; then files."""
    names = ("second", "first", "other")
    with (
        serving(options={"AuthorizedKeysFile": "none", "MaxAuthTries": "20"}) as server,
        agent_at(tmp_path / "agent") as path,
    ):
        for name in names:
            add_key(path, sshd.make_key(tmp_path / name))
        sshd.make_key(tmp_path / "file")
        (tmp_path / "ssh_config").write_text(
            f"IdentityAgent {path}\n"
            + "".join(f"IdentityFile {tmp_path / name}\n" for name in ("file", "first", "second"))
        )
        with pytest.raises(AuthRefused, match="accepted none of the keys offered") as refused:
            connect(server, identity=None)

    offered = [line.split()[1:4] for line in refused.value.details[:4]]
    assert offered == [
        ["agent", "key", f"{tmp_path}/first"],
        ["agent", "key", f"{tmp_path}/second"],
        ["agent", "key", "other"],
        ["key", f"{tmp_path}/file"],
    ]


def test_an_agent_that_is_not_there_is_listed(server: Sshd, connect: Connect, tmp_path: Path) -> None:
    (tmp_path / "ssh_config").write_text(f"IdentityAgent {tmp_path}/gone\n")

    with pytest.raises(AuthRefused, match="no key to offer") as refused:
        connect(server, identity=None)

    assert f"tried: agent at {tmp_path}/gone: No such file or directory" in refused.value.details


def test_what_listens_there_is_no_agent(server: Sshd, connect: Connect, tmp_path: Path) -> None:
    """It hangs up; the key in the file still logs in."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "other"))
        listener.listen()
        listener.settimeout(0)
        (tmp_path / "ssh_config").write_text(f"IdentityAgent {tmp_path}/other\n")
        listener.close()
        assert connect(server).run(["true"]).code == 0


def test_files_that_are_not_there_are_listed(server: Sshd, connect: Connect, tmp_path: Path) -> None:
    (tmp_path / "ssh_config").write_text(
        f"IdentityFile {tmp_path}/typo\nIdentityFile {tmp_path}/public.pub\nIdentityFile ${{HOME}}/.ssh/id_gone\n"
    )

    with pytest.raises(AuthRefused, match="no key to offer") as refused:
        connect(server, identity=None)

    tried = "\n".join(refused.value.details)
    assert f"tried: key {tmp_path}/typo: No such file or directory" in tried
    assert f"tried: key {tmp_path}/public.pub: the agent does not hold it" in tried
    assert "/.ssh/id_gone: No such file or directory" in tried
    assert "id_rsa" not in tried  # that nobody named
