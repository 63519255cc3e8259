"""The reader for machines without an OpenSSH client, compared with what a client makes of the same lines."""

import contextlib
import re
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeq.errors import EdgeqError, Unreachable
from edgeq.transport.host_address import Address, parse_address
from edgeq.transport.ssh_client import find_client
from edgeq.transport.ssh_config import OwnReader
from edgeq.transport.ssh_hop import Hop, hop_from
from edgeq.transport.ssh_route import Choices, Source, route_to
from tests.conftest import missing

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
PI5 = "Host pi5\n  HostName 127.0.0.1\n  User pi\n  Port 2222\n"
LINES = {
    "Match final all, in Fedora's own file": PI5 + "Match final all\n  ForwardX11Trusted yes\n  Port 9\n",
    "Match final, after the host name is known": PI5 + "Match final host 127.0.0.1\n  IdentitiesOnly yes\n",
    "Match final, not before": "Match !final host 127.0.0.1\n  User early\n" + PI5,
    "Match canonical without canonicalization": "Match canonical\n  User never\n" + PI5,
    "Match canonical in a final pass": PI5
    + "Match canonical host 127.0.0.1\n IdentitiesOnly yes\nMatch final all\n",
    "Host in the final pass": "Host 127.0.0.1\n  IdentitiesOnly yes\nMatch final all\n  User last\n" + PI5,
    "Match host=pattern": "Match host=pi5\n  HostName 127.0.0.1\n  User pi\n  Port 2222\n",
    "Match with several": "Match originalhost pi5,other user pi\n  Port 7\n" + PI5,
    "Match user of the local user": 'Match localuser "*"\n  Port 7\n' + PI5,
    "negated": "Match !host other,x* !user nobody\n  Port 7\nMatch !all\n  Port 8\n",
    "exec": 'Match exec "test %n = pi5"\n  Port 7\nMatch exec false\n  User never\nMatch !exec "exit 3"\n  User three\n',
    "exec behind what does not hold": 'Match host other exec "kill -9 $PPID"\n  Port 7\n',
    "comments": "Host pi5 # board\n  HostName 127.0.0.1 # at home\n  User pi # login\n  Port 2222 # forwarded\n",
    "a comment on a Match": "Match host pi5 # all of them\n  Port 7\n",
    "quotation marks": 'Host "pi5"\n  IdentityFile "/with blanks/#1"\n  User "pi"\n',
    "equals signs": "Host=pi5\n  HostName = 127.0.0.1\n  Port=2222\n",
    "the typed user": "Match user typed\n  Port 7\n" + PI5,
    "HostName %h": "HostName %h.example\n",
    "tokens and variables": "HostName 10.0.0.5\nHostKeyAlias al\nIdentityFile ${HOME}/%n/%h/%p/%r/%k/%u/%i/%d/%%h\n",
    "commands keep their quotation marks": "ProxyCommand relay 'a b' \"%h\" %p %% # still the command\n",
    "ProxyJump before ProxyCommand": "ProxyJump hop\nProxyCommand relay %h\n",
    "ProxyCommand before ProxyJump": "ProxyCommand relay %h\nProxyJump hop\n",
    "ProxyJump none": "ProxyJump none\nProxyCommand relay\n",
    "ProxyCommand none": "ProxyCommand none\nProxyJump hop\n",
    "the agent": "IdentityAgent $SSH_AUTH_SOCK\n",
    "an agent at a path": "IdentityAgent ~/agents/%r.%h\n",
    "known hosts": "UserKnownHostsFile ~/a /b/%k\nGlobalKnownHostsFile none\n",
    "no known hosts": "UserKnownHostsFile none\n",
    "certificates": "CertificateFile ~/%u-cert.pub\nCertificateFile /b-cert.pub\nIdentityFile ~/b\nIdentityFile ~/b\n",
    "revoked keys": "RevokedHostKeys ~/revoked.%h\n",
    "times and families": "ConnectTimeout 1m5s\nAddressFamily inet6\nBindAddress 127.0.0.1\n",
    "a time of none is not set": "ConnectTimeout none\nConnectTimeout 7\n",
    "ways to log in": "PreferredAuthentications password,publickey\nKbdInteractiveAuthentication no\n",
    "batch mode": "BatchMode yes\nHashKnownHosts yes\n",
    "canonicalization beside HostName": "CanonicalizeHostname yes\nCanonicalDomains lan.invalid\n" + PI5,
    "canonicalization to the host file": "CanonicalizeHostname yes\nCanonicalDomains invalid\nHost localhost\n User canonical\n",
    "canonicalization of many dots": "CanonicalizeHostname yes\nCanonicalDomains invalid\nHostName a.b.c.invalid\n",
    "nothing": "",
}


@pytest.fixture
def folder(own_home: Path) -> Path:
    folder = own_home / ".ssh"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def without_client(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (own_home / "empty").mkdir()
    monkeypatch.setenv("PATH", str(own_home / "empty"))


def hop(source: Source, host: str) -> Hop:
    address = parse_address(host)
    settings = source.settings(address)
    made = hop_from(
        settings, address, shown=host, home=source.home, source="", identity=None, known_hosts=None
    )
    named = tuple(path for path in made.identities if not made.is_default(path))
    return replace(made, identities=named)  # the default names differ between versions of OpenSSH


def both(config: Path, own_home: Path, host: str) -> tuple[Hop, Hop]:
    client = find_client(config, pytest.fail)
    if client is None:
        missing("ssh is not installed (apt install openssh-client)")
    assert client is not None
    return hop(OwnReader(config, own_home, pytest.fail), host), hop(replace(client, home=own_home), host)


@pytest.mark.parametrize(
    "host", ["pi", "outer", "inner", "x.lab", "bad.lab", "matched", "last", "lastly", "else", "PI", "me@pi:9"]
)
def test_includes_as_openssh_understands_them(folder: Path, own_home: Path, host: str) -> None:
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        # ssh looks for these in the real home, not in $HOME
        (folder / name).write_text(re.sub(r'Include ("?)', rf"Include \1{folder}/", text))

    ours, theirs = both(folder / "config", own_home, host)

    assert ours == theirs


@pytest.mark.parametrize("host", ["pi5", "typed@pi5:8", "::1", "localhost"])
@pytest.mark.parametrize("words", LINES)
def test_lines_as_openssh_understands_them(folder: Path, own_home: Path, words: str, host: str) -> None:
    config = folder / "config"
    config.write_text(LINES[words])

    ours, theirs = both(config, own_home, host)

    assert ours == theirs


UNKNOWN = {
    "localnetwork 203.0.113.0/24": "localnetwork",
    "!localnetwork 203.0.113.0/24": "localnetwork",
    "localnetwork=0.0.0.0/0": "localnetwork",
    "tagged work": "tagged",
    "version OpenSSH_10.*": "version",
    "sessiontype shell": "sessiontype",
    "command true": "command",
    "host pi5 moonphase full": "moonphase",
    "!moonphase": "moonphase",
}


@pytest.mark.parametrize("condition", UNKNOWN)
def test_a_condition_that_is_not_understood_never_applies_and_is_named(
    folder: Path, own_home: Path, condition: str
) -> None:
    """Settings for another network would log in as somebody else, through somebody else's host."""
    (folder / "config").write_text(
        f"Match {condition}\n  User intruder\n  ProxyJump bastion.example\n  Port 9\n{PI5}"
    )
    notes: list[str] = []

    found = hop(OwnReader(folder / "config", own_home, notes.append), "pi5")

    assert (found.user, found.host, found.port, found.proxy_command) == ("pi", "127.0.0.1", 2222, None)
    (note,) = notes
    assert f"{folder / 'config'}:1: " in note
    assert f"`{UNKNOWN[condition]}`" in note


@pytest.mark.usefixtures("without_client")
def test_without_a_client_the_files_are_read_and_it_is_said(folder: Path) -> None:
    (folder / "config").write_text(PI5)
    (found,) = route_to("pi5", Choices())

    assert (found.user, found.host, found.port) == ("pi", "127.0.0.1", 2222)
    assert "read by edgeq itself: no OpenSSH client is installed" in found.source
    assert found.identities[0] == folder / "id_ed25519"


@pytest.mark.usefixtures("without_client")
def test_no_configuration_at_all(own_home: Path) -> None:
    (found,) = route_to("somebody@10.0.0.9", Choices(config=own_home / "absent"))

    assert (found.host, found.port, found.user) == ("10.0.0.9", 22, "somebody")
    assert found.key_name == "10.0.0.9"
    assert found.known_hosts[0] == own_home / ".ssh/known_hosts"


@pytest.mark.usefixtures("without_client")
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Host a\n  ForwardAgent\n", "config:2: cannot be read"),
        ("Include config\n", "nested more than 16"),
        ("Host *\n  Port ssh-alt\n", "config:2: port 'ssh-alt' is not a number"),
        ("Host *\n  Port 99999\n", "is not a number from 1 to 65535"),
        ("Host pi\n  ProxyJump hop\nHost hop\n  ProxyJump pi\n", "in a circle: pi -> hop -> pi"),
        ('Host "pi\n', "config:1: a quotation is not closed"),
        ("Match exec\n  Port 1\n", "config:1: Match exec needs a value"),
        ("Match host pi all\n  Port 1\n", "config:1: Match all takes no other conditions"),
        ("Match # nothing\n", "config:1: match has no value"),
        ("HostName -oProxyCommand=x\n", "HostName '-oproxycommand=x' for pi is refused"),
        ("User -x\n", "User '-x' for pi is refused: it begins with a dash"),
        ("ProxyJump -three\n", "ProxyJump -three for pi cannot be used"),
        ("ConnectTimeout soon\n", "ConnectTimeout 'soon' for pi is not a time"),
        (
            "CanonicalizeHostname yes\nCanonicalDomains invalid\nCanonicalizeFallbackLocal no\n",
            "the name pi is not known in invalid",
        ),
    ],
)
def test_a_wrong_configuration_says_where(folder: Path, text: str, words: str) -> None:
    (folder / "config").write_text(text)

    with pytest.raises(Unreachable, match=words):
        route_to("pi", Choices())


@pytest.mark.usefixtures("without_client")
def test_a_variable_that_is_not_set_shows_in_the_name_of_the_file(folder: Path) -> None:
    (folder / "config").write_text("IdentityFile ${NO_SUCH_VARIABLE}/key\n")

    assert route_to("pi", Choices())[0].identities == (Path("${NO_SUCH_VARIABLE}/key"),)


def test_the_first_file_wins_over_the_systems(folder: Path, own_home: Path) -> None:
    """The system's file is whatever this machine has."""
    (folder / "config").write_text("User mine\n")

    assert OwnReader(None, own_home, lambda note: None).settings(Address("pi"))["user"] == ("mine",)


FUZZED = (
    *("Match", "Host", "Port", "HostName", "IdentityFile", "CanonicalizeMaxDots", "ConnectTimeout"),
    *("ProxyJump", "IdentityAgent", "UserKnownHostsFile", "CanonicalizeHostname", "ProxyCommand"),
)


@settings(max_examples=100)
@given(
    st.lists(
        st.one_of(
            st.sampled_from(
                ["Host *", "Match final all", "Match exec=true", "Include *", "Include **/x", "Port 9" * 5000]
            ),
            st.builds(
                "{} {}".format,
                st.sampled_from(FUZZED),
                st.text(max_size=30),
            ),
            st.text(max_size=40),
        ),
        max_size=8,
    )
)
def test_whatever_stands_in_the_file_ends_in_settings_or_our_error(lines: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(EdgeqError):
        file = Path(folder) / "config"
        file.write_text("\n".join(lines), "utf-8", "surrogatepass")
        hop(OwnReader(file, Path(folder), lambda note: None), "pi5")
