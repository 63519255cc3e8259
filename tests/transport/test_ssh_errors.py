"""The table of foreign errors: complete, and each everyday failure in words of its own."""

import errno
import inspect
import io
import logging
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from paramiko import ssh_exception

from edgeq.errors import DeviceError, LinkLost, RemoteFailed, Unreachable
from edgeq.transport.open import open_transport
from edgeq.transport.ssh import SshTransport
from edgeq.transport.ssh_errors import CONNECTING, lost, unreachable
from tests.lab import sshd
from tests.transport.conftest import AT_ONCE, choices_for, serving

PARAMIKOS = [
    cls
    for _, cls in inspect.getmembers(ssh_exception, inspect.isclass)
    if issubclass(cls, Exception) and cls.__module__ == ssh_exception.__name__
]


@pytest.mark.parametrize("cls", PARAMIKOS, ids=lambda cls: cls.__name__)
def test_every_error_of_paramiko_stands_in_the_table(cls: type[BaseException]) -> None:
    assert cls in CONNECTING


SAMPLES = [
    ssh_exception.NoValidConnectionsError({("10.0.0.5", 22): ConnectionRefusedError()}),
    ssh_exception.BadAuthenticationType("no", ["publickey"]),
    ssh_exception.PartialAuthentication(["password"]),
    ssh_exception.ChannelException(2, "Connect failed"),
    ssh_exception.ProxyCommandFailure("nc", "gone"),
    ssh_exception.BadHostKeyException("pi", None, None),  # type: ignore[no-untyped-call]
]
SAMPLES += [cls("words") for cls in PARAMIKOS if cls not in [type(sample) for sample in SAMPLES]]


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: type(sample).__name__)
def test_each_becomes_ours_and_says_what_to_do(sample: Exception) -> None:
    error = unreachable(sample, "pi@10.0.0.5")

    assert isinstance(error, DeviceError)
    assert "pi@10.0.0.5" in error.what
    assert error.remedy


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), "refused the connection"),
        (TimeoutError("timed out"), "did not answer in time"),
        (OSError(errno.EHOSTUNREACH, "No route to host"), "cannot be reached: No route to host"),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "is not known: Name or service"),
        (ConnectionResetError(errno.ECONNRESET, "reset"), "closed the connection before the login"),
        (EOFError(), "closed the connection before the login"),
        (
            ssh_exception.SSHException("Error reading SSH protocol banner"),
            "does not answer like an SSH server",
        ),
        (
            ssh_exception.IncompatiblePeer("Incompatible ssh server (no acceptable ciphers)"),
            "no algorithm in common",
        ),
    ],
)
def test_each_failure_has_its_own_words(error: Exception, words: str) -> None:
    translated = unreachable(error, "pi")

    assert isinstance(translated, Unreachable)
    assert words in translated.what


def test_on_an_open_link_it_is_a_lost_one() -> None:
    assert isinstance(lost(EOFError(), "pi"), LinkLost)
    assert isinstance(lost(ssh_exception.ChannelException(1, "prohibited"), "pi"), RemoteFailed)


def test_nobody_listens() -> None:
    with pytest.raises(Unreachable, match="refused the connection"):
        open_transport(f"pi@127.0.0.1:{sshd.free_port()}")


def test_a_name_that_does_not_exist() -> None:
    with pytest.raises(Unreachable, match=r"name of no-such-host\.invalid:22 is not known"):
        open_transport("pi@no-such-host.invalid")


def test_something_else_answers() -> None:
    """paramiko and the link each wait as long for a greeting; either may be the first to say so."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(Unreachable, match="does not (answer|greet) like an SSH server"):
            open_transport(f"pi@127.0.0.1:{port}", timeout_s=0.5)


def test_this_machine_needs_no_ssh() -> None:
    assert open_transport(None).label == "this machine"


@pytest.fixture
def root_log() -> Iterator[io.StringIO]:
    """What the root logger gets: any library may have put a handler of stderr there. (caplog hears other loggers as well.)"""
    heard = io.StringIO()
    handler = logging.StreamHandler(heard)
    logging.getLogger().addHandler(handler)
    yield heard
    logging.getLogger().removeHandler(handler)


def test_a_server_that_allows_no_session(tmp_path: Path, root_log: io.StringIO) -> None:
    with serving(options={"MaxSessions": "0"}) as strict:
        choices = choices_for(strict, tmp_path, identity=strict.identity)
        transport = SshTransport(strict.address, choices, back_off=AT_ONCE)

        with pytest.raises(RemoteFailed, match="opens no further session") as refused:
            transport.run(["true"])
        transport.close()

    assert "MaxSessions" in str(refused.value.remedy)
    assert root_log.getvalue() == ""
