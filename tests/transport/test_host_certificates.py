"""Host certificates: a real authority (ssh-keygen -s), a real sshd that shows what it signed, and OpenSSH's client beside us."""

import contextlib
import shutil
import subprocess
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from pathlib import Path

import paramiko
import pytest

from edgeq.errors import EdgeqError, HostKeyRefused
from edgeq.transport.host_key_algorithms import PLAIN
from edgeq.transport.known_hosts import read_known_hosts
from edgeq.transport.ssh import SshTransport
from edgeq.transport.ssh_certificate import NoCertificate
from edgeq.transport.ssh_host_certificate import certificate_of, why_not
from tests.lab import sshd
from tests.lab.sshd import Sshd
from tests.transport.conftest import serving

Connect = Callable[..., SshTransport]
HERE = ("-h", "-n", "127.0.0.1")
KINDS = ("ed25519", "ecdsa", "rsa")


def public(key: Path) -> str:
    return " ".join(key.with_name(f"{key.name}.pub").read_text().split()[:2])


def signed(key: Path, authority: Path, *words: str) -> Path:
    """Makes <key>-cert.pub."""
    if not shutil.which("ssh-keygen"):
        pytest.skip("ssh-keygen is not installed")
    command = ["ssh-keygen", "-q", "-s", authority, "-I", "a test", *words, f"{key}.pub"]
    subprocess.run(command, check=True)
    return key.with_name(f"{key.name}-cert.pub")


@contextlib.contextmanager
def server_with(host_key: Path, certificate: Path) -> Iterator[Sshd]:
    with serving(options={"HostKey": str(host_key), "HostCertificate": str(certificate)}) as running:
        yield running


def openssh_takes(server: Sshd, config: Path, known_hosts: Path) -> bool:
    """Whether the real client logs in with the same files."""
    options = (f"UserKnownHostsFile={known_hosts}", "GlobalKnownHostsFile=/dev/null", "BatchMode=yes")
    flags = [word for option in (*options, "StrictHostKeyChecking=yes") for word in ("-o", option)]
    command = ["ssh", "-F", config, *flags, "-i", server.identity, "-p", str(server.port)]
    return subprocess.run([*command, f"{server.user}@{server.host}", "true"], check=False).returncode == 0


CASES = {
    "for this host": (HERE, "@cert-authority * {authority}", ""),
    "its port is named": (HERE, "@cert-authority [127.0.0.1]:{port} {authority}", ""),
    "no port is named": (HERE, "@cert-authority 127.0.0.1 {authority}", ""),
    "for several": (("-h", "-n", "pi,127.0.0.1"), "@cert-authority * {authority}", ""),
    "for every host": (("-h",), "@cert-authority * {authority}", ""),
    "until it expires": ((*HERE, "-V", "20200101000000Z:forever"), "@cert-authority * {authority}", ""),
    "of another authority": (HERE, "@cert-authority * {other}", "no @cert-authority line for this host"),
    "of no authority": (HERE, "", "is not known"),
    "another host's authority": (
        HERE,
        "@cert-authority *.example.com {authority}",
        "is not known",
    ),
    "all but this host": (
        HERE,
        "@cert-authority *,![127.0.0.1]:{port},!127.0.0.1 {authority}",
        "is not known",
    ),
    "for another host": (("-h", "-n", "pi"), "@cert-authority * {authority}", "is for pi, not for 127.0.0.1"),
    "for a user": (("-n", "127.0.0.1"), "@cert-authority * {authority}", "for users, not for hosts"),
    "expired": (
        (*HERE, "-V", "20200101000000Z:20200201000000Z"),
        "@cert-authority * {authority}",
        "expired on 2020-02-01",
    ),
    "of the future": (
        (*HERE, "-V", "29990101000000Z:forever"),
        "@cert-authority * {authority}",
        "not valid before 2999-01-01",
    ),
    "a critical option": (
        (*HERE, "-O", "critical:x@example.com=y"),
        "@cert-authority * {authority}",
        "critical option",
    ),
    "expired, but a known key": (
        (*HERE, "-V", "20200101000000Z:20200201000000Z"),
        "@cert-authority * {authority}\n[127.0.0.1]:{port} {host}",
        "",
    ),
    "another key was known": (HERE, "@cert-authority * {authority}\n[127.0.0.1]:{port} {other}", ""),
    "revoked": (HERE, "@cert-authority * {authority}\n@revoked * {host}", "is revoked"),
    "of a revoked authority": (HERE, "@cert-authority * {authority}\n@revoked * {authority}", "is revoked"),
    "an authority taken for a key": (HERE, "[127.0.0.1]:{port} {authority}", "has changed"),
}


@pytest.mark.parametrize(("words", "known", "refusal"), CASES.values(), ids=CASES)
def test_it_counts_as_for_openssh(
    connect: Connect, tmp_path: Path, words: tuple[str, ...], known: str, refusal: str
) -> None:
    authority, other, host = (sshd.make_key(tmp_path / name) for name in ("authority", "other", "host"))
    with server_with(host, signed(host, authority, *words)) as server:
        keys = {key.name: public(key) for key in (authority, other, host)}
        text = known.format(port=server.port, **keys) + "\n"
        if refusal:
            with pytest.raises(HostKeyRefused) as refused:
                connect(server, known=text)
            assert refusal in " ".join([refused.value.what, *refused.value.details])
        else:
            connect(server, known=text)
        assert openssh_takes(server, tmp_path / "ssh_config", tmp_path / "known_hosts") is not bool(refusal)
        assert (tmp_path / "known_hosts").read_text() == text


@pytest.mark.parametrize("authority_kind", KINDS)
@pytest.mark.parametrize("host_kind", KINDS)
def test_keys_of_each_type(connect: Connect, tmp_path: Path, host_kind: str, authority_kind: str) -> None:
    authority = sshd.make_key(tmp_path / "authority", authority_kind)
    host = sshd.make_key(tmp_path / "host", host_kind)
    with server_with(host, signed(host, authority, *HERE)) as server:
        connect(server, known=f"@cert-authority * {public(authority)}\n")


def test_under_the_name_that_host_key_alias_gives(connect: Connect, tmp_path: Path) -> None:
    authority, host = sshd.make_key(tmp_path / "authority"), sshd.make_key(tmp_path / "host")
    (tmp_path / "ssh_config").write_text("HostKeyAlias Door\n")
    with server_with(host, signed(host, authority, "-h", "-n", "door")) as server:
        connect(server, known=f"@cert-authority door {public(authority)}\n")


def test_an_authority_may_only_sign_as_it_is_allowed_to(connect: Connect, tmp_path: Path) -> None:
    authority, host = sshd.make_key(tmp_path / "authority"), sshd.make_key(tmp_path / "host")
    (tmp_path / "ssh_config").write_text("CASignatureAlgorithms rsa-sha2-512\n")
    with server_with(host, signed(host, authority, *HERE)) as server:
        with pytest.raises(HostKeyRefused) as refused:
            connect(server, known=f"@cert-authority * {public(authority)}\n")
        assert not openssh_takes(server, tmp_path / "ssh_config", tmp_path / "known_hosts")
    assert "signed with ssh-ed25519, which is not allowed" in " ".join(refused.value.details)


@pytest.mark.parametrize("form", ["the authority, in lines", "the authority, in a KRL", "its serial number"])
def test_a_list_of_revoked_keys(connect: Connect, tmp_path: Path, form: str) -> None:
    authority, host = sshd.make_key(tmp_path / "authority"), sshd.make_key(tmp_path / "host")
    listed = tmp_path / "revoked"
    if form == "the authority, in lines":
        listed.write_text(public(authority))
    else:
        (tmp_path / "serials").write_text("serial: 7\n")
        of = ("-s", f"{authority}.pub", tmp_path / "serials") if "serial" in form else (f"{authority}.pub",)
        subprocess.run(["ssh-keygen", "-q", "-k", "-f", listed, *of], check=True)
    (tmp_path / "ssh_config").write_text(f"RevokedHostKeys {listed}\n")
    with server_with(host, signed(host, authority, *HERE, "-z", "7")) as server:
        with pytest.raises(HostKeyRefused, match="is revoked"):
            connect(server, known=f"@cert-authority * {public(authority)}\n")
        assert not openssh_takes(server, tmp_path / "ssh_config", tmp_path / "known_hosts")


def test_a_server_without_a_certificate_says_so(server: Sshd, connect: Connect, tmp_path: Path) -> None:
    authority = sshd.make_key(tmp_path / "authority")
    with pytest.raises(HostKeyRefused, match="is not known") as refused:
        connect(server, known=f"@cert-authority * {public(authority)}\n")
    assert refused.value.details[0] == (
        f"{tmp_path}/known_hosts:1 names an authority (@cert-authority), but the server shows no certificate"
    )


def test_the_key_in_a_certificate_that_is_not_taken_can_be_accepted(connect: Connect, tmp_path: Path) -> None:
    authority, host = sshd.make_key(tmp_path / "authority"), sshd.make_key(tmp_path / "host")
    (tmp_path / "ssh_config").write_text("HostKeyAlgorithms ssh-ed25519-cert-v01@openssh.com\n")
    with server_with(host, signed(host, authority, *HERE)) as server:
        connect(server, known="", accept_new_host_key=True)
        assert (tmp_path / "known_hosts").read_text() == f"[127.0.0.1]:{server.port} {public(host)}\n"
        connect(server, known=(tmp_path / "known_hosts").read_text())


def shown(certificate: Path) -> paramiko.PKey:
    """What paramiko makes of it in the key exchange."""
    return paramiko.Ed25519Key(data=b64decode(certificate.read_text().split()[1]))


def changed(certificate: Path, old: bytes, new: bytes) -> Path:
    kind, encoded = certificate.read_text().split()[:2]
    blob = b64decode(encoded)
    assert blob.count(old) == 1 and len(old) == len(new)
    certificate.write_text(f"{kind} {b64encode(blob.replace(old, new)).decode()}\n")
    return certificate


@pytest.mark.parametrize("kind", KINDS)
def test_one_byte_that_the_authority_did_not_sign(tmp_path: Path, kind: str) -> None:
    authority, host = sshd.make_key(tmp_path / "authority", kind), sshd.make_key(tmp_path / "host")
    certificate = signed(host, authority, "-h", "-n", "pi-one")
    (tmp_path / "known").write_text(f"@cert-authority * {public(authority)}\n")
    known = read_known_hosts([tmp_path / "known"])

    def doubt(host: str) -> str:
        found = certificate_of(shown(certificate))
        assert found is not None
        return why_not(found, host, known, PLAIN)

    assert doubt("pi-one") == ""
    changed(certificate, b"pi-one", b"pi-two")
    assert doubt("pi-two") == "its signature is not the authority's"


def test_a_signature_by_sha1(tmp_path: Path) -> None:
    authority, host = sshd.make_key(tmp_path / "authority", "rsa"), sshd.make_key(tmp_path / "host")
    (tmp_path / "known").write_text(f"@cert-authority * {public(authority)}\n")
    found = certificate_of(shown(signed(host, authority, *HERE, "-t", "ssh-rsa")))
    assert found is not None
    why = why_not(found, "127.0.0.1", read_known_hosts([tmp_path / "known"]), (*PLAIN, "ssh-rsa"))
    assert why == "it is signed with ssh-rsa, which is not allowed (CASignatureAlgorithms)"


@pytest.mark.parametrize("cut", [0, 1, 40, 100, 200])
def test_a_certificate_that_is_cut_short(tmp_path: Path, cut: int) -> None:
    authority, host = sshd.make_key(tmp_path / "authority"), sshd.make_key(tmp_path / "host")
    key = shown(signed(host, authority, *HERE))
    assert certificate_of(key) is not None
    blob = key.public_blob.key_blob
    key.public_blob.key_blob = blob[:-cut] if cut else blob + b"x"
    with pytest.raises(NoCertificate):
        certificate_of(key)
    assert not issubclass(NoCertificate, EdgeqError)


def test_a_certificate_of_another_key(tmp_path: Path) -> None:
    authority, host, other = (sshd.make_key(tmp_path / name) for name in ("authority", "host", "other"))
    key, swapped = (shown(signed(one, authority, *HERE)) for one in (host, other))
    key.public_blob = swapped.public_blob
    with pytest.raises(NoCertificate, match="another key"):
        certificate_of(key)
