"""Ways to log in, each on a real sshd: keys, passphrases, the agent, passwords, several methods in a row."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgeq.errors import AuthRefused, Unreachable
from edgeq.transport.ssh import SshTransport
from tests.conftest import ROOT, missing
from tests.lab import sshd
from tests.lab.ssh_agent import agent_at
from tests.lab.sshd import Sshd
from tests.transport.conftest import serving

Connect = Callable[..., SshTransport]
PASSWORD = "right horse"  # of a user who lives as long as the test


def accept(server: Sshd, public: Path) -> None:
    keys = server.folder / "authorized_keys"
    keys.write_text(keys.read_text() + public.read_text())


@pytest.fixture
def agent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A real ssh-agent of our own."""
    with agent_at(tmp_path / "agent") as socket:
        monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
        yield


@pytest.fixture(scope="module")
def password_server() -> Iterator[Sshd]:
    if os.geteuid() != 0:
        missing("a throw-away user with a password needs root")
    with (
        sshd.throw_away_user(PASSWORD) as user,
        serving(options={"PasswordAuthentication": "yes"}, user=user) as server,
    ):
        yield server


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_a_key_of_each_type(server: Sshd, connect: Connect, tmp_path: Path, kind: str) -> None:
    key = sshd.make_key(tmp_path / "key", kind)
    accept(server, key.with_suffix(".pub"))

    assert connect(server, identity=key).run(["true"]).code == 0


def test_a_key_with_a_passphrase_asks_once_even_after_a_reconnection(
    server: Sshd, connect: Connect, tmp_path: Path
) -> None:
    key = sshd.make_key(tmp_path / "key", passphrase="open sesame")
    accept(server, key.with_suffix(".pub"))
    asked: list[str] = []

    def ask(prompt: str) -> str:
        asked.append(prompt)
        return "wrong" if len(asked) == 1 else "open sesame"

    transport = connect(server, identity=key, ask=ask)
    transport.close()
    transport.connect()

    assert asked == [f"passphrase of {key}: "] * 2


def test_a_wrong_passphrase(server: Sshd, connect: Connect, tmp_path: Path) -> None:
    key = sshd.make_key(tmp_path / "key", passphrase="open sesame")

    with pytest.raises(AuthRefused, match="no key to offer") as refused:
        connect(server, identity=key, ask=lambda prompt: "wrong")

    assert f"tried: key {key}: wrong passphrase" in refused.value.details


def test_a_passphrase_that_nobody_can_be_asked_for(server: Sshd, connect: Connect, tmp_path: Path) -> None:
    key = sshd.make_key(tmp_path / "key", passphrase="open sesame")

    with pytest.raises(AuthRefused) as refused:
        connect(server, identity=key)

    assert any("needs a passphrase" in line for line in refused.value.details)


def test_a_key_that_is_not_accepted(server: Sshd, connect: Connect, tmp_path: Path) -> None:
    key = sshd.make_key(tmp_path / "key")

    with pytest.raises(AuthRefused, match="accepted none of the keys offered") as refused:
        connect(server, identity=key)

    assert refused.value.details[:2] == (f"tried: key {key}", "the server allows: publickey")
    assert refused.value.details[2].startswith(f"route: {server.user}@127.0.0.1:{server.port}, from `ssh -G")
    assert "--identity" in str(refused.value.remedy)


def test_an_identity_that_is_no_key(server: Sshd, connect: Connect, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("not a key")

    with pytest.raises(AuthRefused) as refused:
        connect(server, identity=tmp_path / "key")

    assert "not a private key" in refused.value.details[0]


@pytest.mark.usefixtures("agent")
def test_a_key_of_the_agent(server: Sshd, connect: Connect) -> None:
    subprocess.run(["ssh-add", "-q", server.identity], check=True)

    assert connect(server, identity=None).run(["true"]).code == 0


@pytest.mark.usefixtures("agent")
def test_a_named_key_wins_over_an_agent_full_of_others(
    server: Sshd, connect: Connect, tmp_path: Path
) -> None:
    """Offered after the eight others it would come too late: MaxAuthTries is 6."""
    for i in range(8):
        subprocess.run(["ssh-add", "-q", sshd.make_key(tmp_path / f"other{i}")], check=True)

    assert connect(server).run(["true"]).code == 0
    with pytest.raises(AuthRefused, match="closed the connection after") as refused:
        connect(server, identity=None)
    assert "IdentitiesOnly" in str(refused.value.remedy)


@pytest.mark.usefixtures("agent")
def test_an_encrypted_key_that_the_agent_holds_asks_for_nothing(
    server: Sshd, connect: Connect, tmp_path: Path
) -> None:
    key = sshd.make_key(tmp_path / "key")
    accept(server, key.with_suffix(".pub"))
    subprocess.run(["ssh-add", "-q", key], check=True)
    subprocess.run(["ssh-keygen", "-q", "-p", "-N", "open sesame", "-f", key], check=True)

    assert connect(server, identity=key).run(["true"]).code == 0


def test_a_password(password_server: Sshd, connect: Connect) -> None:
    asked: list[str] = []

    def ask(prompt: str) -> str:
        asked.append(prompt)
        return PASSWORD

    transport = connect(password_server, identity=None, ask=ask)
    transport.close()

    assert transport.run(["id", "-un"]).stdout.decode().strip() == password_server.user
    assert asked == [f"password of {password_server.user}@127.0.0.1: "]


def test_a_mistyped_password_may_be_typed_again(password_server: Sshd, connect: Connect) -> None:
    typed = iter(["rihgt horse", PASSWORD])

    assert connect(password_server, identity=None, ask=lambda prompt: next(typed)).run(["true"]).code == 0


def test_a_wrong_password(password_server: Sshd, connect: Connect) -> None:
    with pytest.raises(AuthRefused, match="refused the password") as refused:
        connect(password_server, identity=None, ask=lambda prompt: "wrong")

    assert refused.value.details[:2] == ("tried: password", "the server allows: publickey, password")


def test_a_password_that_nobody_can_be_asked_for(password_server: Sshd, connect: Connect) -> None:
    with pytest.raises(AuthRefused, match="no key to offer") as refused:
        connect(password_server, identity=None)

    assert "there is no terminal to ask on" in str(refused.value.remedy)


def test_key_and_password_in_a_row(connect: Connect) -> None:
    if os.geteuid() != 0:
        missing("a throw-away user with a password needs root")
    options = {"PasswordAuthentication": "yes", "AuthenticationMethods": "publickey,password"}
    with (
        sshd.throw_away_user(PASSWORD) as user,
        serving(options=options, user=user) as server,
    ):
        transport = connect(server, ask=lambda prompt: PASSWORD)
        assert transport.run(["id", "-un"]).stdout.decode().strip() == user
        transport.close()


def test_questions_of_the_server(connect: Connect) -> None:
    """keyboard-interactive, the way PAM asks for a password."""
    if os.geteuid() != 0 or not Path("/etc/pam.d/sshd").exists():
        missing("PAM's questions need root and sshd's PAM configuration")
    options = {
        "KbdInteractiveAuthentication": "yes",
        "UsePAM": "yes",
        "AuthenticationMethods": "keyboard-interactive",
    }
    with (
        sshd.throw_away_user(PASSWORD) as user,
        serving(options=options, user=user) as server,
    ):
        transport = connect(server, identity=None, ask=lambda prompt: PASSWORD)
        assert transport.run(["id", "-un"]).stdout.decode().strip() == user
        transport.close()

        with pytest.raises(AuthRefused, match="refused the password"):
            connect(server, identity=None, ask=lambda prompt: "wrong")


def test_weak_algorithms_are_not_used(connect: Connect) -> None:
    with (
        serving(options={"Ciphers": "aes128-cbc,3des-cbc"}) as server,
        pytest.raises(Unreachable, match="no algorithm in common"),
    ):
        connect(server)


def test_a_server_without_gcm(connect: Connect) -> None:
    with serving(options={"Ciphers": "aes256-ctr", "MACs": "hmac-sha2-512-etm@openssh.com"}) as server:
        assert connect(server).run(["true"]).code == 0


def test_nobody_is_asked_where_there_is_no_terminal(server: Sshd, own_home: Path, tmp_path: Path) -> None:
    """As in a job of CI: the command line gives up in words, and not as if Ctrl-C had been typed."""
    key = sshd.make_key(tmp_path / "key", passphrase="open sesame")
    (own_home / ".ssh").mkdir()
    (own_home / ".ssh/known_hosts").write_text(server.known_hosts_line)
    done = subprocess.run(
        [sys.executable, "-m", "edgeq", "status", "--host", server.address, "--identity", key],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        start_new_session=True,
    )
    assert done.returncode == AuthRefused.exit_code, done
    assert f"key {key}: needs a passphrase, and there is no terminal to ask on: ssh-add {key}" in done.stderr
