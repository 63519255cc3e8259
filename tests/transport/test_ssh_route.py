"""Routes: what the ssh configuration makes of a host, and real jumps."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from edgeq.errors import AuthRefused, HostKeyRefused, Unreachable
from edgeq.transport import ssh_proxy_command
from edgeq.transport.ssh import SshTransport
from edgeq.transport.ssh_route import Choices, route_to
from tests.conftest import missing
from tests.lab import sshd
from tests.lab.sshd import Sshd
from tests.transport.conftest import runs, serving


@pytest.fixture(params=["the client's", "edgeq's own"])
def reading(request: pytest.FixtureRequest, own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same routes from `ssh -G`, and from the files where no client is installed."""
    if request.param == "edgeq's own":
        (own_home / "empty").mkdir()
        monkeypatch.setenv("PATH", str(own_home / "empty"))
    elif shutil.which("ssh") is None:
        missing("ssh is not installed (apt install openssh-client)")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "config"


@pytest.mark.usefixtures("reading")
def test_identities_known_hosts_and_alias(config: Path, own_home: Path) -> None:
    config.write_text(
        "Host pi\n IdentityFile ~/.ssh/first\n IdentityFile ~/.ssh/second\n UserKnownHostsFile ~/.ssh/a ~/.ssh/b\n"
        " HostKeyAlias the-Pi\n"
    )
    (hop,) = route_to("pi", Choices(config=config))

    assert hop.identities == (own_home / ".ssh/first", own_home / ".ssh/second")
    assert hop.known_hosts[:2] == (own_home / ".ssh/a", own_home / ".ssh/b")
    assert hop.key_name == "the-pi"


@pytest.mark.usefixtures("reading")
def test_what_was_typed_wins(config: Path, tmp_path: Path) -> None:
    config.write_text("Host pi\n User other\n Port 7\n IdentityFile /other\n UserKnownHostsFile /known\n")
    (tmp_path / "key").touch()
    choices = Choices(port=9, identity=tmp_path / "key", known_hosts=tmp_path / "known", config=config)
    hop = route_to("me@pi:8", choices)[-1]

    assert (hop.user, hop.port, hop.identities, hop.known_hosts[0]) == (
        "me",
        9,
        (tmp_path / "key", Path("/other")),
        tmp_path / "known",
    )


@pytest.mark.usefixtures("reading")
def test_jumps_have_their_own_configuration(config: Path) -> None:
    config.write_text(
        "Host two\n HostName 10.0.0.2\n User second\n ProxyJump never\n"
        "Host one\n ProxyJump zero\n"
        "Host *.lab\n User lab\n ProxyJump one,two:2200,ssh://me@three\n"
        "Host *\n User everybody\n"
    )
    hops = route_to("x.lab", Choices(config=config))

    assert [(h.user, h.host, h.port) for h in hops] == [
        ("everybody", "zero", 22),
        ("everybody", "one", 22),
        ("second", "10.0.0.2", 2200),
        ("me", "three", 22),
        ("lab", "x.lab", 22),
    ]
    assert [h.shown for h in hops] == ["zero", "one", "two:2200", "me@three", "x.lab"]


@pytest.mark.usefixtures("reading")
def test_tokens_in_a_jump(config: Path) -> None:
    config.write_text("Host x.lab\n ProxyJump %r@gate.%n:2200\nHost *\n User pi\n")
    jump, _ = route_to("x.lab:7", Choices(config=config))

    assert (jump.user, jump.host, jump.port) == ("pi", "gate.x.lab", 2200)


def test_an_identity_that_is_not_there_is_no_reason_to_offer_others(own_home: Path) -> None:
    gone, held = own_home / "typo", own_home / "held_by_the_agent"
    with pytest.raises(AuthRefused, match=f"there is no key at {gone}") as refused:
        route_to("pi", Choices(identity=gone))
    assert "--identity" in str(refused.value.remedy)

    held.with_name(f"{held.name}.pub").write_text("ssh-ed25519 AAAA")
    assert route_to("pi", Choices(identity=held))[-1].identities[0] == held


def test_a_failure_names_the_route_and_where_it_comes_from(
    connect: Callable[..., SshTransport], tmp_path: Path, server: Sshd
) -> None:
    (tmp_path / "ssh_config").write_text(f"Host device\n HostName 127.0.0.1\n Port {server.port}\n User me\n")

    with pytest.raises(HostKeyRefused) as refused:
        connect(server, address="device", known="")

    (route,) = refused.value.details
    assert route.startswith(f"route: me@127.0.0.1:{server.port}, from `ssh -G")


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

    with pytest.raises(Unreachable, match="the ProxyCommand for .* ended without an answer .*: false"):
        connect(server, timeout_s=20)


def test_a_proxy_command_ends_with_the_connection(
    connect: Callable[..., SshTransport], tmp_path: Path, server: Sshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh_proxy_command, "_has_terminal", lambda: False)  # wherever the tests are run
    relay = tmp_path / "relay.py"  # of the two processes that it is, one ignores the end of its input
    relay.write_text(
        "import os, socket, subprocess, sys, threading, time\n"
        "child = subprocess.Popen(['sleep', '600'])\n"
        f"open({str(tmp_path / 'pids')!r}, 'w').write(f'{{os.getpid()}} {{child.pid}}')\n"
        "s = socket.create_connection((sys.argv[1], int(sys.argv[2])))\n"
        "def up():\n"
        "    while data := os.read(0, 65536): s.sendall(data)\n"
        "threading.Thread(target=up, daemon=True).start()\n"
        "while data := s.recv(65536): os.write(1, data)\n"
        "time.sleep(600)\n"
    )
    (tmp_path / "ssh_config").write_text(
        f"Host device\n HostName 127.0.0.1\n Port {server.port}\n ProxyCommand python3 {relay} %h %p\n"
    )
    transport = connect(server, address="device")
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    assert all(map(runs, pids))

    transport.close()

    assert not Path(f"/proc/{pids[0]}").exists()  # not even as a zombie
    until = time.monotonic() + 10
    while runs(pids[1]):
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_proxy_command_that_says_nothing_ends_with_the_attempt(
    connect: Callable[..., SshTransport], tmp_path: Path, server: Sshd
) -> None:
    (tmp_path / "ssh_config").write_text(
        f"Host *\n ProxyCommand sh -c 'echo $$ > {tmp_path}/pid; exec sleep 600'\n"
    )

    with pytest.raises(Unreachable):
        connect(server, timeout_s=1)

    assert not runs(int((tmp_path / "pid").read_text()))


def test_what_a_proxy_command_complains_about_is_a_note(
    connect: Callable[..., SshTransport], tmp_path: Path, server: Sshd, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "ssh_config").write_text("Host *\n ProxyCommand sh -c 'echo no such relay >&2; exit 1'\n")
    notes: list[str] = []

    with pytest.raises(Unreachable, match="ended without an answer"):
        connect(server, timeout_s=20, on_note=notes.append)

    assert any(note.endswith(": no such relay") for note in notes)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("forwarding", "words"),
    [
        ("yes", "the jump host .* cannot reach 127.0.0.1:{closed}: "),
        ("no", "the jump host .* does not forward connections to 127.0.0.1:{closed}: "),
    ],
)
def test_a_jump_host_that_does_not_get_further(
    connect: Callable[..., SshTransport], tmp_path: Path, forwarding: str, words: str
) -> None:
    closed = sshd.free_port()
    with serving(options={"AllowTcpForwarding": forwarding}) as jump:
        (tmp_path / "ssh_config").write_text(
            f"Host device\n HostName 127.0.0.1\n Port {closed}\n ProxyJump {jump.address}\n"
            f"Host 127.0.0.1\n IdentityFile {jump.identity}\n"
        )
        with pytest.raises(Unreachable, match=words.format(closed=closed)) as refused:
            connect(jump, address="device")
    assert "ChannelException" not in refused.value.what


def test_a_proxy_command_that_passes_its_socket(
    connect: Callable[..., SshTransport], tmp_path: Path, server: Sshd
) -> None:
    opener = tmp_path / "opener.py"
    opener.write_text(
        "import socket, sys\n"
        "s = socket.create_connection((sys.argv[1], int(sys.argv[2])))\n"
        "socket.send_fds(socket.socket(fileno=1), [b'x'], [s.fileno()])\n"
    )
    (tmp_path / "ssh_config").write_text(
        f"Host device\n HostName 127.0.0.1\n Port {server.port}\n"
        f" ProxyCommand python3 {opener} %h %p\n ProxyUseFdpass yes\n"
    )

    assert connect(server, address="device").run(["echo", "hi"]).stdout == b"hi\n"


def test_an_address_family(connect: Callable[..., SshTransport], tmp_path: Path, server: Sshd) -> None:
    """The server listens on 127.0.0.1 only."""
    (tmp_path / "ssh_config").write_text("AddressFamily inet\nBindAddress 127.0.0.1\n")
    assert connect(server).run(["true"]).code == 0

    (tmp_path / "ssh_config").write_text("AddressFamily inet6\n")
    with pytest.raises(Unreachable):
        connect(server)
