"""`ssh -G` as the source of a route: what it is asked, and what edgeq says where it refuses."""

import os
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest

from edgeq.errors import Unreachable
from edgeq.transport.host_address import Address
from edgeq.transport.ssh_client import OpensshClient, find_client
from edgeq.transport.ssh_route import Choices, route_to
from tests.conftest import missing
from tests.transport.conftest import runs


@pytest.fixture
def config(tmp_path: Path) -> Path:
    if shutil.which("ssh") is None:
        missing("ssh is not installed (apt install openssh-client)")
    file = tmp_path / "config"
    file.write_text("")
    return file


def program(folder: Path, text: str) -> None:
    """An `ssh` that is not OpenSSH, in front of the others."""
    (folder / "ssh").write_text(f"#!/bin/sh\n{text}\n")
    (folder / "ssh").chmod(0o755)


def hop_of(host: str, config: Path, **choices: object):  # type: ignore[no-untyped-def]
    return route_to(host, Choices(config=config, **choices))[-1]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("host", "choices", "right"),
    [
        ("pi5", {}, ("pi", "10.0.0.5", 2222)),
        ("me@pi5", {}, ("me", "10.0.0.5", 2222)),
        ("pi5:9", {}, ("pi", "10.0.0.5", 9)),
        ("ssh://me@pi5:9", {}, ("me", "10.0.0.5", 9)),
        ("pi5:9", {"port": 8}, ("pi", "10.0.0.5", 8)),
        ("a@realm@pi5", {}, ("a@realm", "10.0.0.5", 2222)),
        ("[::1]:9", {}, ("other", "::1", 9)),
        ("::1", {}, ("other", "::1", 22)),
    ],
)
def test_what_was_typed_is_handed_on(
    config: Path, host: str, choices: dict[str, int], right: tuple[str, str, int]
) -> None:
    config.write_text(
        "Match originalhost pi5\n User pi\n HostName 10.0.0.5\n Port 2222\nHost *\n User other\n"
    )
    hop = hop_of(host, config, **choices)

    assert (hop.user, hop.host, hop.port) == right


def test_conditions_see_what_was_typed(config: Path) -> None:
    config.write_text('Match user admin\n Port 1\nMatch exec "test %p = 7"\n User seven\n')

    assert hop_of("admin@pi5", config).port == 1
    assert hop_of("pi5:7", config).user == "seven"
    assert hop_of("pi5", config).port == 22


def test_where_the_route_comes_from(config: Path) -> None:
    source = hop_of("me@pi5:9", config).source

    assert source.startswith(f"`ssh -G -T -F {config} -l me -p 9 -- pi5` (OpenSSH_")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Host a\n  ForwardAgent\n", "config.*line 2"),
        ("Host *\n  Port ssh-alt\n", "config line 2: Bad (number|port)"),
        ("Host *\n  NoSuchKeyword yes\n", "config: line 2: Bad configuration option: nosuchkeyword"),
        ('Host "pi5\n', "config line 1: (invalid|Bad)"),
        ("Match moonphase full\n  User wolf\n", "Unsupported Match attribute moonphase"),
        ("Include config\n", "Too many recursive configuration includes"),
        ("IdentityAgent ${NO_SUCH_VARIABLE}\n", "line 1: Invalid environment expansion"),
    ],
)
def test_a_refusal_is_passed_on_in_its_own_words(config: Path, text: str, words: str) -> None:
    config.write_text(text.replace("Include config", f"Include {config}"))

    with pytest.raises(Unreachable, match=words) as refused:
        route_to("pi5", Choices(config=config))

    assert "ssh -G" in str(refused.value.remedy)


def test_a_configuration_that_is_not_there(config: Path) -> None:
    with pytest.raises(Unreachable, match="No such file"):
        route_to("pi5", Choices(config=config.with_name("absent")))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("HostName -oProxyCommand=touch${IFS}x\n", "HostName '-oproxycommand=.* for pi5 is refused"),
        ("User -oProxyCommand=x\n", "User '-oProxyCommand=x' for pi5 is refused: it begins with a dash"),
        ("User x;touch\n", "User 'x;touch' for pi5 is refused: a shell may read"),
        ("ProxyJump -oProxyCommand=x\n", "'-oProxyCommand=x' is not a host"),
        ("ProxyJump one,-J@two\n", "ProxyJump one,-J@two for pi5 cannot be used: '-J@two' is not a host"),
        ("Host pi5\n ProxyJump jump\nHost jump\n HostName -x\n", "HostName '-x' for jump is refused"),
    ],
)
def test_names_that_are_options_are_refused_wherever_they_come_from(
    config: Path, text: str, words: str
) -> None:
    config.write_text(text)

    with pytest.raises(Unreachable, match=words):
        route_to("pi5", Choices(config=config))


def test_a_jump_that_leads_back_ends(config: Path) -> None:
    config.write_text("Host pi5\n ProxyJump hop\nHost hop\n ProxyJump pi5\n")
    with pytest.raises(Unreachable, match="in a circle: pi5 -> hop -> pi5"):
        route_to("pi5", Choices(config=config))

    config.write_text("Host *\n ProxyJump %h.further\n")
    with pytest.raises(Unreachable, match="in a circle"):
        route_to("pi5", Choices(config=config))


def test_files_with_blanks_tokens_and_variables(
    config: Path, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEYS", "/keys")
    config.write_text(
        "Host pi5\n HostName 10.0.0.5\n User pi\n HostKeyAlias board\n"
        ' IdentityFile "${KEYS}/my key of %r"\n IdentityFile ~/.ssh/id_%n_100%%\n CertificateFile ~/%h-cert.pub\n'
        ' UserKnownHostsFile ~/.ssh/%k "/with blanks/known hosts"\n GlobalKnownHostsFile none\n'
        " IdentityAgent ${KEYS}/agent.%r\n ProxyCommand relay --to %h:%p 100%% # not a comment\n ConnectTimeout 1m5s\n"
    )
    hop = hop_of("pi5", config)

    assert hop.identities == (Path("/keys/my key of pi"), own_home / ".ssh/id_pi5_100%")
    assert hop.certificates == (own_home / "10.0.0.5-cert.pub",)
    assert hop.known_hosts == (own_home / ".ssh/board", Path("/with blanks/known hosts"))
    assert hop.agent == "/keys/agent.pi"
    assert hop.proxy_command == "relay --to 10.0.0.5:22 100% # not a comment"
    assert (hop.key_name, hop.timeout_s) == ("board", 65)


@pytest.mark.parametrize(
    ("written", "right"),
    [
        ("none", "none"),
        ("SSH_AUTH_SOCK", "SSH_AUTH_SOCK"),
        ("$SSH_AUTH_SOCK", "SSH_AUTH_SOCK"),
        ("$MY_AGENT", "/run/mine"),
        ("$NO_AGENT", "none"),
        ("${MY_AGENT}.2", "/run/mine.2"),
        ("/run/other", "/run/other"),
    ],
)
def test_identity_agent(config: Path, monkeypatch: pytest.MonkeyPatch, written: str, right: str) -> None:
    monkeypatch.setenv("MY_AGENT", "/run/mine")
    config.write_text(f"IdentityAgent {written}\n")

    assert hop_of("pi5", config).agent == right


def test_identity_file_none_leaves_no_file(config: Path) -> None:
    config.write_text("IdentityFile none\n")

    assert hop_of("pi5", config).identities == ()


def test_ways_to_log_in(config: Path) -> None:
    assert hop_of("pi5", config).methods == ("publickey", "keyboard-interactive", "password")

    config.write_text("PreferredAuthentications password,publickey\n")
    assert hop_of("pi5", config).methods == ("password", "publickey")

    config.write_text("PubkeyAuthentication no\nKbdInteractiveAuthentication no\n")
    assert hop_of("pi5", config).methods == ("password",)

    config.write_text("BatchMode yes\n")
    assert (hop_of("pi5", config).methods, hop_of("pi5", config).batch) == (("publickey",), True)


def test_a_condition_that_hangs_is_given_up_with_all_it_started(config: Path, tmp_path: Path) -> None:
    config.write_text(f'Match exec "echo $$ > {tmp_path}/pid; exec sleep 600"\n User never\n')
    client = find_client(config, pytest.fail)
    assert client is not None

    with pytest.raises(Unreachable, match="gave no answer about pi5 within 1 s"):
        replace(client, within_s=1.0).settings(Address("pi5"))

    started = tmp_path / "pid"
    until = time.monotonic() + 10
    while started.exists() and runs(int(started.read_text())):
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.mark.parametrize(
    "answer", ["echo Dropbear v2022.83 >&2", "echo OpenSSH_6.6.1p1, OpenSSL >&2", "exit 1"]
)
def test_an_ssh_that_cannot_be_asked_is_left_out_with_a_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    program(tmp_path, answer)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    notes: list[str] = []

    assert find_client(None, notes.append) is None
    assert "is no OpenSSH from 6.8 on" in notes[0]


@pytest.mark.parametrize(
    "version", ["OpenSSH_9.2p1 Debian-2+deb12u10, OpenSSL 3", "OpenSSH_10.0p2, LibreSSL"]
)
def test_an_openssh_is_recognised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    program(tmp_path, f"echo '{version}' >&2")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    client = find_client(None, pytest.fail)

    assert isinstance(client, OpensshClient)
    assert version.startswith(client.version)
