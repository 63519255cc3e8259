"""Host keys against a real sshd: unknown, new, changed, revoked, hashed, of another type."""

import hashlib
import hmac
import subprocess
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgeq.errors import HostKeyRefused, Unreachable
from edgeq.transport import ssh_route
from edgeq.transport.host_key_algorithms import ALL, named_by
from edgeq.transport.ssh import SshTransport
from tests.lab import sshd
from tests.lab.sshd import Sshd
from tests.transport.conftest import serving

Connect = Callable[..., SshTransport]


def fingerprint(server: Sshd) -> str:
    listed = subprocess.run(
        ["ssh-keygen", "-lf", server.folder / "host_key.pub"], capture_output=True, text=True, check=True
    )
    return listed.stdout.split()[1]


def test_an_unknown_key_is_refused_with_its_fingerprint(server: Sshd, connect: Connect) -> None:
    with pytest.raises(HostKeyRefused, match="is not known") as refused:
        connect(server, known="")

    assert f"ED25519 {fingerprint(server)}" in refused.value.what
    assert "--accept-new-host-key" in str(refused.value.remedy)


def test_an_accepted_key_is_recorded_once(server: Sshd, connect: Connect, tmp_path: Path) -> None:
    notes: list[str] = []
    before = "# mine\nother.example ssh-ed25519 AAAA"  # no newline at the end

    connect(server, known=before, accept_new_host_key=True, on_note=notes.append)
    known = (tmp_path / "known_hosts").read_text()
    connect(server, known=known)  # known now: no flag needed, nothing written

    assert known == f"{before}\n{server.known_hosts_line}"
    assert (tmp_path / "known_hosts").read_text() == known
    assert fingerprint(server) in notes[0]


def test_a_changed_key_is_refused_whatever_the_flag(server: Sshd, connect: Connect, tmp_path: Path) -> None:
    other = sshd.make_key(tmp_path / "other").with_suffix(".pub").read_text().split()[:2]
    known = f"# first line\n[127.0.0.1]:{server.port} {' '.join(other)}\n"

    with pytest.raises(HostKeyRefused, match="has changed") as refused:
        connect(server, known=known, accept_new_host_key=True)

    assert f"{tmp_path / 'known_hosts'}:2" in refused.value.what
    assert f"ssh-keygen -f {tmp_path / 'known_hosts'} -R '[127.0.0.1]:{server.port}'" in str(
        refused.value.remedy
    )
    assert (tmp_path / "known_hosts").read_text() == known


def test_a_key_of_another_type_is_refused_as_such(server: Sshd, connect: Connect, tmp_path: Path) -> None:
    other = sshd.make_key(tmp_path / "other", "ecdsa").with_suffix(".pub").read_text().split()[:2]

    with pytest.raises(HostKeyRefused, match="is of another type than the known one"):
        connect(server, known=f"[127.0.0.1]:{server.port} {' '.join(other)}\n", accept_new_host_key=True)


def test_a_known_type_that_the_configuration_leaves_out(
    with_two_keys: Sshd, connect: Connect, tmp_path: Path
) -> None:
    (tmp_path / "ssh_config").write_text("HostKeyAlgorithms -ssh-ed25519*\n")

    with pytest.raises(HostKeyRefused, match="is of another type than the known one") as refused:
        connect(with_two_keys)

    assert "HostKeyAlgorithms in the ssh configuration does not leave out ssh-ed25519" in str(
        refused.value.remedy
    )


def test_a_revoked_key_is_refused(server: Sshd, connect: Connect) -> None:
    with pytest.raises(HostKeyRefused, match="is revoked"):
        connect(
            server, known=f"{server.known_hosts_line}@revoked * {server.known_hosts_line.split(' ', 1)[1]}"
        )


@pytest.mark.parametrize("form", ["lines", "KRL"])
def test_a_list_of_revoked_keys(server: Sshd, connect: Connect, tmp_path: Path, form: str) -> None:
    other = sshd.make_key(tmp_path / "other").with_suffix(".pub")
    config, listed = tmp_path / "ssh_config", tmp_path / "revoked"
    config.write_text(f"RevokedHostKeys {listed}\n")

    def revoke(public: Path) -> None:
        if form == "KRL":
            subprocess.run(["ssh-keygen", "-q", "-k", "-f", listed, public], check=True)
        else:
            listed.write_bytes(b"# a comment\n" + public.read_bytes())

    revoke(other)
    assert connect(server).run(["true"]).code == 0

    revoke(server.folder / "host_key.pub")
    with pytest.raises(HostKeyRefused, match="is revoked"):
        connect(server)


@pytest.mark.parametrize("content", [None, b"SSHKRL\n\0broken"])
def test_a_list_of_revoked_keys_that_says_nothing_refuses_all(
    server: Sshd, connect: Connect, tmp_path: Path, content: bytes | None
) -> None:
    (tmp_path / "ssh_config").write_text(f"RevokedHostKeys {tmp_path}/revoked\n")
    if content is not None:
        (tmp_path / "revoked").write_bytes(content)

    with pytest.raises(HostKeyRefused, match="cannot say whether"):
        connect(server)


def test_a_setting_that_cannot_be_followed_is_named(server: Sshd, connect: Connect, tmp_path: Path) -> None:
    (tmp_path / "ssh_config").write_text("KnownHostsCommand /bin/echo %H\n")

    with pytest.raises(HostKeyRefused) as refused:
        connect(server, known="")

    assert any("not used: KnownHostsCommand /bin/echo" in line for line in refused.value.details)


def test_a_hashed_name(server: Sshd, connect: Connect) -> None:
    salt = bytes(range(20))
    mac = hmac.new(salt, f"[127.0.0.1]:{server.port}".encode(), hashlib.sha1).digest()
    hashed = f"|1|{b64encode(salt).decode()}|{b64encode(mac).decode()}"

    connect(server, known=server.known_hosts_line.replace(f"[127.0.0.1]:{server.port}", hashed))


def test_the_server_is_asked_for_the_type_that_is_known(connect: Connect, tmp_path: Path) -> None:
    """It has two keys and would rather show the other one."""
    rsa = sshd.make_key(tmp_path / "rsa_host_key", "rsa")
    with serving(options={"HostKey": f"{rsa}\nHostKey {{folder}}/host_key"}) as server:
        kind, key = rsa.with_suffix(".pub").read_text().split()[:2]
        connect(server, known=f"[127.0.0.1]:{server.port} {kind} {key}\n").close()
        connect(server).close()


@pytest.fixture(scope="module")
def with_two_keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    rsa = sshd.make_key(tmp_path_factory.mktemp("keys") / "rsa_host_key", "rsa")
    with serving(options={"HostKey": f"{rsa}\nHostKey {{folder}}/host_key"}) as server:
        yield server


@pytest.mark.parametrize("reader", ["ssh", "edgeq itself"])
@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ("rsa-sha2-256", "ssh-rsa"),
        ("rsa-sha2-*,ssh-ed25519", "ssh-rsa"),
        ("ssh-ed25519,rsa-sha2-512", "ssh-ed25519"),
        ("^rsa-sha2-512", "ssh-rsa"),
        ("-*ed25519*", "ssh-rsa"),
        ("+ssh-rsa", "ssh-ed25519"),
    ],
)
def test_host_key_algorithms_decide_which_key_is_asked_for(
    with_two_keys: Sshd,
    connect: Connect,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    written: str,
    kind: str,
    reader: str,
) -> None:
    if reader == "edgeq itself":
        monkeypatch.setattr(ssh_route, "find_client", lambda config, on_note: None)
    (tmp_path / "ssh_config").write_text(f"HostKeyAlgorithms {written}\n")
    connect(with_two_keys, known="", accept_new_host_key=True)
    assert (tmp_path / "known_hosts").read_text().split()[1] == kind


def test_a_key_that_is_known_comes_first_of_those_that_are_allowed(
    with_two_keys: Sshd, connect: Connect, tmp_path: Path
) -> None:
    (tmp_path / "ssh_config").write_text("HostKeyAlgorithms rsa-sha2-512,ssh-ed25519\n")
    connect(with_two_keys)  # by its ed25519 key


def test_host_key_algorithms_that_the_server_has_not(server: Sshd, connect: Connect, tmp_path: Path) -> None:
    (tmp_path / "ssh_config").write_text("HostKeyAlgorithms rsa-sha2-512\n")
    with pytest.raises(
        Unreachable, match="no host key of a type that may be asked for: rsa-sha2-512"
    ) as refused:
        connect(server)
    assert "HostKeyAlgorithms" in str(refused.value.remedy)


@pytest.mark.parametrize("written", ["ssh-rsa", "-*"])
def test_host_key_algorithms_of_which_none_is_sound(
    server: Sshd, connect: Connect, tmp_path: Path, written: str
) -> None:
    (tmp_path / "ssh_config").write_text(f"HostKeyAlgorithms {written}\n")
    with pytest.raises(Unreachable, match="HostKeyAlgorithms"):
        connect(server)


@pytest.mark.parametrize(
    "written",
    [
        "ssh-ed25519",
        "rsa-*,ssh-ed25519*",
        "^rsa-sha2-256",
        "-ecdsa-*,ssh-ed25519",
        "+ssh-dss",
        "*",
        "-*cert*",
    ],
)
def test_names_of_algorithms_mean_what_they_mean_to_ssh(written: str) -> None:
    asked = subprocess.run(
        ["ssh", "-G", "-F", "/dev/null", "-o", f"HostKeyAlgorithms={written}", "pi"],
        capture_output=True,
        text=True,
        check=True,
    )
    (line,) = (text for text in asked.stdout.splitlines() if text.startswith("hostkeyalgorithms "))
    theirs = [name for name in line.split()[1].split(",") if name in ALL]
    assert sorted(named_by(written)) == sorted(theirs)
    if "*" not in written or written.startswith("-"):  # else the order is that of a table inside OpenSSH
        assert list(named_by(written)) == theirs
