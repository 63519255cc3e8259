"""User certificates: a real authority (ssh-keygen -s), an sshd that trusts it and no single key."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgeq.errors import AuthRefused
from edgeq.transport.ssh import SshTransport
from edgeq.transport.ssh_certificate import NoCertificate, read_certificate
from tests.lab import sshd
from tests.lab.ssh_agent import add_key, agent_at
from tests.lab.sshd import Sshd
from tests.transport.conftest import serving

Connect = Callable[..., SshTransport]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sshd.make_key(tmp_path_factory.mktemp("authority") / "ca")


@pytest.fixture(scope="module")
def server(authority: Path) -> Iterator[Sshd]:
    options = {"TrustedUserCAKeys": f"{authority}.pub", "AuthorizedKeysFile": "none"}
    with serving(options=options) as running:
        yield running


def certify(authority: Path, key: Path, user: str, *words: str) -> Path:
    """Makes <key>-cert.pub."""
    command = ["ssh-keygen", "-q", "-s", authority, "-I", "a test", "-n", user, *words, f"{key}.pub"]
    subprocess.run(command, check=True)
    return key.with_name(f"{key.name}-cert.pub")


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_beside_the_key(server: Sshd, connect: Connect, authority: Path, tmp_path: Path, kind: str) -> None:
    key = sshd.make_key(tmp_path / "key", kind)
    with pytest.raises(AuthRefused, match="accepted none of the keys offered"):
        connect(server, identity=key)

    certify(authority, key, server.user)

    assert connect(server, identity=key).run(["true"]).code == 0


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
def test_in_a_file_of_its_own(
    server: Sshd, connect: Connect, authority: Path, tmp_path: Path, kind: str
) -> None:
    """CertificateFile, and a key without its .pub."""
    key = sshd.make_key(tmp_path / "key", kind)
    elsewhere = certify(authority, key, server.user).rename(tmp_path / "signed.pub")
    key.with_suffix(".pub").unlink()
    (tmp_path / "ssh_config").write_text(f"IdentityFile {key}\nCertificateFile {elsewhere}\n")

    assert connect(server, identity=None).run(["true"]).code == 0


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_with_a_key_that_only_the_agent_has(
    server: Sshd, connect: Connect, authority: Path, tmp_path: Path, kind: str
) -> None:
    key = sshd.make_key(tmp_path / "key", kind)
    with agent_at(tmp_path / "agent") as agent:
        add_key(agent, key)
        elsewhere = certify(authority, key, server.user).rename(tmp_path / "signed.pub")
        key.unlink()
        (tmp_path / "ssh_config").write_text(f"IdentityAgent {agent}\nCertificateFile {elsewhere}\n")

        assert connect(server, identity=None).run(["true"]).code == 0


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_in_the_agent(server: Sshd, connect: Connect, authority: Path, tmp_path: Path, kind: str) -> None:
    key = sshd.make_key(tmp_path / "key", kind)
    certify(authority, key, server.user)
    with agent_at(tmp_path / "agent") as agent:
        add_key(agent, key)
        for file in tmp_path.glob("key*"):
            file.unlink()
        (tmp_path / "ssh_config").write_text(f"IdentityAgent {agent}\n")

        assert connect(server, identity=None).run(["true"]).code == 0


def test_an_encrypted_key_is_asked_for_once(
    server: Sshd, connect: Connect, authority: Path, tmp_path: Path
) -> None:
    key = sshd.make_key(tmp_path / "key", passphrase="open sesame")
    certify(authority, key, server.user)
    asked: list[str] = []

    def ask(prompt: str) -> str:
        asked.append(prompt)
        return "open sesame"

    assert connect(server, identity=key, ask=ask).run(["true"]).code == 0
    assert asked == [f"passphrase of {key}: "]


def test_for_somebody_else(server: Sshd, connect: Connect, authority: Path, tmp_path: Path) -> None:
    key = sshd.make_key(tmp_path / "key")
    certificate = certify(authority, key, "somebody-else")

    with pytest.raises(AuthRefused, match="accepted none of the keys offered") as refused:
        connect(server, identity=key)

    assert f"tried: certificate {certificate} (for somebody-else) with key {key}" in refused.value.details


def test_one_that_has_expired_says_so(
    server: Sshd, connect: Connect, authority: Path, tmp_path: Path
) -> None:
    key = sshd.make_key(tmp_path / "key")
    certificate = certify(authority, key, server.user, "-V", "20200101000000Z:20200201000000Z")

    with pytest.raises(AuthRefused) as refused:
        connect(server, identity=key)

    assert f"tried: certificate {certificate} (expired on 2020-02-01 00:00 UTC)" in refused.value.details[0]


def test_one_whose_key_is_not_here(server: Sshd, connect: Connect, authority: Path, tmp_path: Path) -> None:
    key = sshd.make_key(tmp_path / "key")
    certificate = certify(authority, key, server.user)
    key.unlink()
    (tmp_path / "ssh_config").write_text(f"CertificateFile {certificate}\nCertificateFile {tmp_path}/gone\n")

    with pytest.raises(AuthRefused, match="no key to offer") as refused:
        connect(server, identity=None)

    tried = "\n".join(refused.value.details)
    assert (
        f"certificate {certificate}: its private key is neither in the agent nor among the identity" in tried
    )
    assert f"certificate {tmp_path}/gone: No such file or directory" in tried


def test_what_a_certificate_says(authority: Path, tmp_path: Path) -> None:
    for kind in ("ed25519", "ecdsa", "rsa"):
        key = sshd.make_key(tmp_path / kind, kind)
        found = read_certificate(certify(authority, key, "pi,admin", "-V", "20200101000000Z:forever"))

        assert found.principals == ("pi", "admin")
        assert (found.valid_after, found.concern("pi")) == (1577836800, "")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "cannot|can be read"),
        ("ssh-ed25519 AAAA", "no type of certificate"),
        ("ssh-ed25519-cert-v01@openssh.com !!!!", "can be read"),
        ("ssh-ed25519-cert-v01@openssh.com AAAA", "cut short"),
        ("ssh-ed25519-cert-v01@openssh.com /////w==", "cut short"),
    ],
)
def test_what_is_no_certificate(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "x-cert.pub").write_text(text)

    with pytest.raises(NoCertificate, match=words):
        read_certificate(tmp_path / "x-cert.pub")


def test_a_certificate_for_hosts_is_none_for_users(authority: Path, tmp_path: Path) -> None:
    key = sshd.make_key(tmp_path / "key")

    with pytest.raises(NoCertificate, match="for hosts"):
        read_certificate(certify(authority, key, "board", "-h"))
