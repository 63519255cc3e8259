"""The ssh configuration: what it says of a host, held against OpenSSH's own answer; and real jumps."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from edgeq.errors import AuthRefused, HostKeyRefused, Unreachable
from edgeq.transport.ssh import SshTransport
from edgeq.transport.ssh_route import Choices, Hop, route_to
from tests.conftest import missing
from tests.lab.sshd import Sshd
from tests.transport.conftest import serving

FILES = {
    "config": """
        # comments and blanks

        Include all.conf
        Host outer
            Include "in side.conf"
            User after
        Host pi
            HostName 10.0.0.5
            Port=2222
            IdentityFile ~/.ssh/first
            IdentityFile ~/.ssh/second
            UserKnownHostsFile ~/.ssh/a ~/.ssh/b
            HostKeyAlias the-pi
            IdentitiesOnly yes
        Host *.lab !bad.lab
            User lab
            ProxyJump one,two:2200,me@three
        Host *
            Include conf.d/*.conf
        Match host 10.0.0.5
            ServerAliveInterval 7
        Match originalhost matched user me
            Port 1234
        """,
    "all.conf": "Host matched\n  User me\n",
    "in side.conf": "Port 1001\nHost inner outer\n  HostName both.example\nHost pi\n  User never\nMatch all\n  HashKnownHosts yes\n",
    "conf.d/10.conf": "Host last*\n  Port 7777\n  Include deeper.conf\n",
    "conf.d/20.conf": "User everybody\n",
    "deeper.conf": "HostName deep.example\n",
}


@pytest.fixture
def config(own_home: Path) -> Path:
    """~/.ssh with these files."""
    folder = own_home / ".ssh"
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder / "config"


def device(host: str, config: Path) -> Hop:
    return route_to(host, Choices(config=config))[-1]


@pytest.mark.parametrize(
    "host", ["pi", "outer", "inner", "x.lab", "bad.lab", "matched", "last", "lastly", "else", "PI", "me@pi:9"]
)
def test_as_openssh_understands_it(config: Path, own_home: Path, host: str) -> None:
    """`ssh -G` prints what OpenSSH would do."""
    if shutil.which("ssh") is None:
        missing("ssh is not installed (apt install openssh-client)")
    for file in filter(
        Path.is_file, config.parent.rglob("*")
    ):  # ssh looks for these in the real home, not in $HOME
        text = re.sub(r'Include ("?)', rf"Include \1{config.parent}/", file.read_text())
        file.write_text(text)
    asked, _, port = host.partition(":")
    command = ["ssh", "-G", "-F", config, *(["-p", port] if port else []), asked]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    said = [(key, value) for key, _, value in (line.partition(" ") for line in out.splitlines())]
    theirs = dict(reversed(said))

    *jumps, ours = route_to(host, Choices(config=config))

    assert (ours.host, str(ours.port), ours.user) == (theirs["hostname"], theirs["port"], theirs["user"])
    assert ours.identities_only == (theirs["identitiesonly"] == "yes")
    assert ours.hash_names == (theirs["hashknownhosts"] == "yes")
    assert ",".join(hop.shown for hop in jumps) == theirs.get("proxyjump", "")
    identities = [value for key, value in said if key == "identityfile"]
    if "~/.ssh/first" in identities:
        assert [f"~/{path.relative_to(own_home)}" for path in ours.identities] == identities


def test_identities_known_hosts_and_alias(config: Path, own_home: Path) -> None:
    hop = device("pi", config)

    assert hop.identities == (own_home / ".ssh/first", own_home / ".ssh/second")
    assert hop.known_hosts[:2] == (own_home / ".ssh/a", own_home / ".ssh/b")
    assert hop.key_name == "the-pi"


def test_what_was_typed_wins(config: Path, tmp_path: Path) -> None:
    (tmp_path / "key").touch()
    choices = Choices(port=9, identity=tmp_path / "key", known_hosts=tmp_path / "known", config=config)
    hop = route_to("me@pi", choices)[-1]

    assert (hop.user, hop.port, hop.identities[0], hop.known_hosts[0]) == (
        "me",
        9,
        tmp_path / "key",
        tmp_path / "known",
    )


def test_jumps_have_their_own_configuration(config: Path) -> None:
    config.write_text("Host two\n HostName 10.0.0.2\n User second\n" + config.read_text())

    assert [(h.user, h.host, h.port) for h in route_to("x.lab", Choices(config=config))][1:] == [
        ("second", "10.0.0.2", 2200),
        ("me", "three", 22),
        ("lab", "x.lab", 22),
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Host a\n  ForwardAgent\n", "config:2: cannot be read"),
        ("Include config\n", "nested more than 16"),
        ("Host *\n  Port ssh\n", "is not a number"),
        ("Host pi\n  ProxyJump hop\nHost hop\n  ProxyJump pi\n", "in a circle: pi -> hop -> pi"),
        ('Host "pi\n', "config:1: No closing quotation"),
        ("Match exec\n  Port 1\n", "Missing parameter to Match 'exec'"),
    ],
)
def test_a_wrong_configuration_says_where(config: Path, text: str, words: str) -> None:
    config.write_text(text)

    with pytest.raises(Unreachable, match=words):
        route_to("pi", Choices(config=config))


def test_a_condition_that_a_command_decides(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.write_text("Match exec false\n Port 1\nMatch exec true\n Port 2\n")

    with Path(os.devnull).open() as nothing:
        monkeypatch.setattr("sys.stdin", nothing)
        assert device("pi", config).port == 2


def test_no_configuration_at_all(own_home: Path) -> None:
    hop = device("somebody@10.0.0.9", own_home / "absent")

    assert (hop.host, hop.port, hop.user) == ("10.0.0.9", 22, "somebody")
    assert hop.identities[0] == own_home / ".ssh/id_ed25519"
    assert hop.key_name == "10.0.0.9"


def test_an_identity_that_is_not_there_is_no_reason_to_offer_others(own_home: Path) -> None:
    gone, held = own_home / "typo", own_home / "held_by_the_agent"
    with pytest.raises(AuthRefused, match=f"there is no key at {gone}") as refused:
        route_to("pi", Choices(identity=gone))
    assert "--identity" in str(refused.value.remedy)

    held.with_name(f"{held.name}.pub").write_text("ssh-ed25519 AAAA")
    assert route_to("pi", Choices(identity=held))[-1].identities[0] == held


@pytest.mark.parametrize("jumps", ["first,second", "second"])
def test_through_two_jump_hosts(
    connect: Callable[..., SshTransport], tmp_path: Path, server: Sshd, jumps: str
) -> None:
    """A list of two; and one whose own configuration names the other. Each host key is checked."""
    with serving() as first, serving() as second:
        (tmp_path / "ssh_config").write_text(
            f"Host device\n HostName 127.0.0.1\n Port {server.port}\n ProxyJump {jumps}\n"
            f"Host first\n HostName localhost\n Port {first.port}\n IdentityFile {first.identity}\n"
            f"Host second\n HostName 127.0.0.1\n Port {second.port}\n IdentityFile {second.identity}\n"
            f" HostKeyAlias second.alias\n {'ProxyJump first' if jumps == 'second' else ''}\n"
        )
        known = (
            server.known_hosts_line
            + first.known_hosts_line.replace("127.0.0.1", "localhost")
            + second.known_hosts_line.replace(f"[127.0.0.1]:{second.port}", "second.alias")
        )
        transport = connect(server, address="device", known=known)
        source = tmp_path / "source"
        source.write_bytes(bytes(3_000_000))

        assert transport.run(["echo", "through"]).stdout == b"through\n"
        assert transport.put(source, str(tmp_path / "there")).bytes_sent == 3_000_000
        assert f"port {second.port}" not in first.log and "Accepted publickey" in first.log
        assert "Accepted publickey" in second.log
        transport.close()


def test_an_unknown_jump_host_is_refused(
    connect: Callable[..., SshTransport], tmp_path: Path, server: Sshd
) -> None:
    with serving() as jump:
        (tmp_path / "ssh_config").write_text(
            f"Host device\n HostName 127.0.0.1\n Port {server.port}\n ProxyJump 127.0.0.1:{jump.port}\n"
        )
        with pytest.raises(HostKeyRefused, match=f"127.0.0.1:{jump.port} is not known"):
            connect(server, known=server.known_hosts_line, address="device")


def test_a_proxy_command(connect: Callable[..., SshTransport], tmp_path: Path, server: Sshd) -> None:
    relay = tmp_path / "relay.py"
    relay.write_text(
        "import socket, sys, threading, os\n"
        "s = socket.create_connection((sys.argv[1], int(sys.argv[2])))\n"
        "def up():\n"
        "    while data := os.read(0, 65536): s.sendall(data)\n"
        "    s.shutdown(socket.SHUT_WR)\n"
        "threading.Thread(target=up, daemon=True).start()\n"
        "while data := s.recv(65536): os.write(1, data)\n"
    )
    (tmp_path / "ssh_config").write_text(
        f"Host device\n HostName 127.0.0.1\n Port {server.port}\n ProxyCommand python3 {relay} %h %p\n"
    )

    assert connect(server, address="device").run(["echo", "hi"]).stdout == b"hi\n"


def test_a_proxy_command_that_ends(
    connect: Callable[..., SshTransport], tmp_path: Path, server: Sshd
) -> None:
    (tmp_path / "ssh_config").write_text("Host *\n ProxyCommand false\n")

    with pytest.raises(Unreachable):
        connect(server, timeout_s=5)
