"""The one table from the errors of paramiko, sockets and name resolution to ours. Knows no other file of edgeq's ssh.

Three questions decide: while connecting or on an open link, which class, which errno. A class of paramiko that is not
in the table fails a test.
"""

import errno
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import paramiko
from paramiko import ssh_exception

from edgeq.errors import AuthRefused, DeviceError, HostKeyRefused, LinkLost, RemoteFailed, Unreachable

Translation = Callable[[BaseException, str], DeviceError]

_PROHIBITED = 1  # SSH_OPEN_ADMINISTRATIVELY_PROHIBITED of RFC 4254
_REFUSED = (
    "check that sshd runs there (systemctl status ssh) and that the port is right (--host user@host:port)"
)
_NO_ANSWER = "check that the device is on and in this network (ping), and that no firewall drops the port"


def _refused(error: BaseException, where: str) -> DeviceError:
    return Unreachable(f"{where} refused the connection", _REFUSED)


def _no_route(error: BaseException, where: str) -> DeviceError:
    return Unreachable(f"{where} cannot be reached: {_words(error)}", _NO_ANSWER)


def _timeout(error: BaseException, where: str) -> DeviceError:
    return Unreachable(f"{where} did not answer in time", _NO_ANSWER)


def silent(where: str, for_ssh: str, said: str, within_s: float) -> DeviceError:
    """`said` is what it did before it fell silent."""
    return Unreachable(
        f"{where} {said}: it said nothing for {within_s:g} s",
        f"see where `ssh -v {for_ssh}` stops; check the port, and restart a device that hangs. A slow one gets more time "
        "by ConnectTimeout in the ssh configuration",
    )


def _unknown_name(error: BaseException, where: str) -> DeviceError:
    return Unreachable(
        f"the name of {where} is not known: {_words(error)}",
        "check the spelling, use the address, or add the host to ~/.ssh/config; "
        "a Raspberry Pi is often found as <name>.local",
    )


def _no_common_algorithm(error: BaseException, where: str) -> DeviceError:
    return Unreachable(
        f"{where} and edgeq have no algorithm in common: {_words(error)}",
        "update the device's sshd; edgeq leaves out what is known to be weak (SHA-1, MD5, CBC, 3DES)",
    )


def no_such_host_key(where: str, wanted: Sequence[str]) -> DeviceError:
    return Unreachable(
        f"{where} has no host key of a type that may be asked for: {', '.join(wanted)}",
        "correct HostKeyAlgorithms in the ssh configuration, or make such a key on the device: sudo ssh-keygen -A",
    )


def _not_ssh(error: BaseException, where: str) -> DeviceError:
    text = _words(error)
    if text.startswith("Timeout"):  # of a channel through a jump host
        return _timeout(error, where)
    if "banner" in text.lower() or "protocol version" in text.lower():
        return Unreachable(
            f"{where} does not answer like an SSH server",
            "check the port; an overloaded sshd (MaxStartups) drops new connections too: wait and run again",
        )
    return Unreachable(
        f"the connection to {where} could not be set up: {text}", "run again; then `ssh -v` tells more"
    )


def _handshake_cut(error: BaseException, where: str) -> DeviceError:
    return Unreachable(
        f"{where} closed the connection before the login",
        "sshd's log on the device says why (journalctl -u ssh); MaxStartups, a firewall or hosts.deny are usual",
    )


def _auth(error: BaseException, where: str) -> DeviceError:
    return AuthRefused(f"{where} refused the login: {_words(error)}", "try `ssh` with the same user and key")


def _auth_kind(error: BaseException, where: str) -> DeviceError:
    allowed = ", ".join(getattr(error, "allowed_types", ())) or "nothing"
    return AuthRefused(
        f"{where} does not allow this way to log in; it allows {allowed}",
        "give a key with --identity, or allow passwords in the device's sshd_config",
    )


def _passphrase(error: BaseException, where: str) -> DeviceError:
    return AuthRefused(
        f"a key for {where} needs its passphrase", "load it with ssh-add, or run where edgeq can ask for it"
    )


def _host_key(error: BaseException, where: str) -> DeviceError:
    return HostKeyRefused(
        f"the host key of {where} is not the known one", f"`ssh-keygen -R {where}` after checking it"
    )


def _channel(error: BaseException, where: str) -> DeviceError:
    return RemoteFailed(
        f"{where} opens no further session: {getattr(error, 'text', '') or _words(error)}",
        "raise MaxSessions in the device's sshd_config",
    )


def behind_jump(error: paramiko.ChannelException, where: str, jump: str) -> DeviceError:
    """The jump host was asked for a connection to `where`, and said no."""
    if error.code == _PROHIBITED:
        return Unreachable(
            f"the jump host {jump} does not forward connections to {where}: {error.text}",
            "set AllowTcpForwarding yes in its sshd_config, or name another jump host (ProxyJump)",
        )
    return Unreachable(
        f"the jump host {jump} cannot reach {where}: {error.text}",
        f"check name and port of the device as {jump} sees them, and that sshd runs there",
    )


def command_failed(command: str, where: str) -> DeviceError:
    return Unreachable(
        f"the ProxyCommand for {where} ended without an answer of an SSH server: {command}",
        "run that command by hand: it has to print a line that begins with SSH-2.0",
    )


def _proxy(error: BaseException, where: str) -> DeviceError:
    return Unreachable(f"the ProxyCommand for {where} failed: {_words(error)}", "run that command by hand")


def _config(error: BaseException, where: str) -> DeviceError:
    return Unreachable(
        f"the ssh configuration for {where} cannot be used: {_words(error)}", "see `man ssh_config`"
    )


CONNECTING: dict[type[BaseException], Translation] = {
    ssh_exception.NoValidConnectionsError: _refused,  # an OSError, not an SSHException
    ssh_exception.PasswordRequiredException: _passphrase,
    ssh_exception.BadAuthenticationType: _auth_kind,
    ssh_exception.PartialAuthentication: _auth_kind,
    ssh_exception.UnableToAuthenticate: _auth,
    ssh_exception.AuthenticationException: _auth,
    ssh_exception.BadHostKeyException: _host_key,
    ssh_exception.IncompatiblePeer: _no_common_algorithm,
    ssh_exception.MessageOrderError: _not_ssh,
    ssh_exception.ChannelException: _channel,
    ssh_exception.ProxyCommandFailure: _proxy,
    ssh_exception.CouldNotCanonicalize: _config,
    ssh_exception.ConfigParseError: _config,
    ssh_exception.SSHException: _not_ssh,
    socket.gaierror: _unknown_name,
    UnicodeError: _unknown_name,  # a name that IDNA cannot encode
    TimeoutError: _timeout,
    ConnectionRefusedError: _refused,
    ConnectionError: _handshake_cut,
    EOFError: _handshake_cut,
    OSError: _no_route,
}

FOREIGN: tuple[type[BaseException], ...] = (paramiko.SSHException, OSError, EOFError, UnicodeError)

_BY_ERRNO: dict[int, Translation] = {
    errno.ECONNREFUSED: _refused,
    errno.ETIMEDOUT: _timeout,
    errno.ECONNRESET: _handshake_cut,
}


def unreachable(error: BaseException, where: str) -> DeviceError:
    """What went wrong on the way to `where` ("pi@10.0.0.5:22"), before there was a usable connection."""
    by_errno = _BY_ERRNO.get(error.errno or 0) if type(error) is OSError else None
    translate = by_errno or next(CONNECTING[cls] for cls in type(error).__mro__ if cls in CONNECTING)
    return translate(error, where)


def lost(error: BaseException, where: str) -> DeviceError:
    """What went wrong on a connection that had worked."""
    if isinstance(error, paramiko.ChannelException):
        return _channel(error, where)
    return LinkLost(
        f"the connection to {where} broke: {_words(error)}",
        "check the network and run again; uploads resume",
    )


@contextmanager
def connecting(where: str) -> Iterator[None]:
    """Foreign errors inside become what `unreachable` says."""
    try:
        yield
    except FOREIGN as error:
        raise unreachable(error, where) from error


def _words(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    silent = "it was closed" if isinstance(error, EOFError) else type(error).__name__
    return str(error).strip().rstrip(".") or silent
