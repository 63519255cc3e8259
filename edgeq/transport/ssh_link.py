"""An open way to a device: TCP or a ProxyCommand, then one SSH connection through another, host keys checked first.

Nothing here retries, and nothing waits for ever: every step has a deadline, and a Watch cuts a link that went silent.
"""

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import paramiko
from paramiko.ssh_exception import IncompatiblePeer

from edgeq.errors import DeviceError

from .host_key_algorithms import in_order as keys_in_order
from .known_hosts import keys_for, read_known_hosts
from .ssh_errors import FOREIGN, behind_jump, command_failed, connecting, lost, no_such_host_key, silent
from .ssh_hop import Hop, in_words
from .ssh_host_key import authorities_for, check_key
from .ssh_in_order import in_order
from .ssh_login import log_in
from .ssh_memory import Memory
from .ssh_proxy_command import ProxyCommand

# Else its tracebacks reach the user's terminal: by Python's last resort, or by a handler of the root logger, which any library
# that calls logging.info() puts there.
logging.getLogger("paramiko").addHandler(logging.NullHandler())
logging.getLogger("paramiko").propagate = False

WEAK = {
    "ciphers": ("3des-cbc", "aes128-cbc", "aes192-cbc", "aes256-cbc", "blowfish-cbc"),
    "macs": ("hmac-sha1", "hmac-sha1-96", "hmac-md5", "hmac-md5-96"),
    "keys": ("ssh-rsa", "ssh-dss"),
    "pubkeys": ("ssh-rsa", "ssh-dss"),
    "kex": (
        "diffie-hellman-group1-sha1",
        "diffie-hellman-group14-sha1",
        "diffie-hellman-group-exchange-sha1",
    ),
}
FIRST_CIPHERS = (
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
)  # a fifth faster than ctr with a MAC beside it
_FAMILIES = {"inet": socket.AF_INET, "inet6": socket.AF_INET6}
KEEPALIVE_S = 10
UNACKNOWLEDGED_MS = 30_000
_ENDING_S = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4)  # pauses while a server ends a session


class _Client(paramiko.Transport):
    """Asks for exactly these types of host key: paramiko would add a certificate of each type behind them."""

    wanted_keys: tuple[str, ...] = ()

    @property
    def preferred_keys(self) -> tuple[str, ...]:
        return self.wanted_keys


class Link:
    """The connections of one route, the device's last. Made by `open_link`; closed is closed.

    `where` is how the device is called in messages, `for_ssh` what one gives to `ssh` to get there.
    """

    def __init__(
        self,
        transports: Sequence[paramiko.Transport],
        where: str,
        for_ssh: str,
        commands: Sequence[ProxyCommand] = (),
    ) -> None:
        self._transports, self._commands = tuple(transports), tuple(commands)
        self._channels: list[paramiko.Channel] = []
        self._opening = threading.Lock()
        self.where, self.for_ssh = where, for_ssh

    @property
    def alive(self) -> bool:
        return all(t.is_active() for t in self._transports)

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Foreign errors inside become LinkLost, and the link is closed: nobody shall pick it up again.

        RemoteFailed instead when the device only refuses one more session.
        """
        try:
            yield
        except FOREIGN as error:
            if not isinstance(error, paramiko.ChannelException):
                self.close()
            raise lost(error, self.where) from error

    def session(self, timeout_s: float) -> paramiko.Channel:
        """One more session. Where the server refuses it though none of ours is open, it has not yet ended the last one
        (MaxSessions), and is asked again for about a second. Raises paramiko.ChannelException when it goes on refusing.
        """
        for pause_s in (*_ENDING_S, None):
            try:
                channel = self._open_session(timeout_s)
                break
            except paramiko.ChannelException:
                if pause_s is None or self.busy:
                    raise
                time.sleep(pause_s)
        with self._opening:
            self._channels = [c for c in self._channels if not c.closed] + [channel]
        return channel

    @property
    def busy(self) -> bool:
        """A session of ours is open."""
        return any(not channel.closed for channel in self._channels)

    def _open_session(self, timeout_s: float) -> paramiko.Channel:
        """One thread at a time: of two refusals at once paramiko reports one as a broken connection."""
        with self._opening:
            return in_order(self._transports[-1].open_session(timeout=timeout_s))

    def answers(self, within_s: float) -> bool:
        """Does the device still talk? It is asked for one more session; a refusal is an answer too."""
        try:
            self._open_session(within_s).close()
        except paramiko.ChannelException:
            return True
        except FOREIGN:
            return False
        return True

    def close(self) -> None:
        """From the first hop on: what is blocked in a later one's write wakes up when the socket is gone."""
        for transport in self._transports:
            transport.close()
        for command in self._commands:
            command.end()


class Watch:
    """Cuts a link that said nothing for `silence_s`: paramiko itself would wait for ever on a frozen one."""

    def __init__(self, link: Link, silence_s: float) -> None:
        self._link, self._silence_s = link, silence_s
        self._heard = time.monotonic()
        self._over = threading.Event()
        self.fired = False
        threading.Thread(target=self._watch, name="edgeq-watch", daemon=True).start()

    def heard(self) -> None:
        self._heard = time.monotonic()

    def stop(self) -> None:
        self._over.set()

    def _watch(self) -> None:
        while not self._over.wait(max(self._heard + self._silence_s - time.monotonic(), 0.01)):
            if time.monotonic() - self._heard >= self._silence_s:
                self.fired = True
                self._link.close()
                return


@contextmanager
def watched(link: Link, silence_s: float) -> Iterator[Watch]:
    watch = Watch(link, silence_s)
    try:
        yield watch
    except FOREIGN as error:
        if watch.fired:
            raise TimeoutError(f"nothing was heard for {silence_s:g} s") from error
        raise
    finally:
        watch.stop()


def open_link(
    hops: Sequence[Hop],
    memory: Memory,
    *,
    accept_new_host_key: bool,
    on_note: Callable[[str], None],
    timeout_s: float,
) -> Link:
    """Raises Unreachable, HostKeyRefused, AuthRefused."""
    transports: list[paramiko.Transport] = []
    commands: list[ProxyCommand] = []
    try:
        for hop in hops:
            where = f"{hop.host}:{hop.port}"
            within_s = hop.timeout_s or timeout_s
            with connecting(where):
                sock = (
                    _through(transports[-1], hops[len(transports) - 1], hop, within_s)
                    if transports
                    else _first(hop, within_s, commands, on_note)
                )
                transport = _greet(sock, hop, within_s)
                # ConnectTimeout ends with the greeting, as for OpenSSH
                transport.auth_timeout = transport.channel_timeout = max(within_s, timeout_s)
                transports.append(transport)
            check_key(transport.get_remote_server_key(), hop, accept_new_host_key, on_note)
            with connecting(where):
                log_in(transport, hop, memory)
                transport.set_keepalive(KEEPALIVE_S)
    except BaseException as error:
        Link(transports, "", "", commands).close()
        if isinstance(error, DeviceError):
            unused = (f"not used: {words}" for hop in hops for words in hop.unused)
            error.details = (*error.details, *unused, f"route: {in_words(hops)}")
        raise
    return Link(transports, hops[-1].shown, hops[-1].for_ssh, commands)


def _first(
    hop: Hop, timeout_s: float, commands: list[ProxyCommand], on_note: Callable[[str], None]
) -> socket.socket:
    """A ProxyCommand is added to `commands` before anything can fail: whoever closes the link ends it."""
    if hop.proxy_command:
        where = hop.shown
        commands.append(
            ProxyCommand(hop.proxy_command, lambda line: on_note(f"ProxyCommand for {where}: {line}"))
        )
        return commands[-1].connected(hop.passes_socket, timeout_s)
    sock = _connected(hop, timeout_s)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(
        socket, "TCP_USER_TIMEOUT"
    ):  # Linux: with keepalives under way, an unplugged cable ends the connection
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS)
    return sock


def _connected(hop: Hop, timeout_s: float) -> socket.socket:
    """The first address of the host that takes the connection, of the family that AddressFamily allows."""
    failure: OSError | None = None
    for family, kind, protocol, _, there in socket.getaddrinfo(
        hop.host, hop.port, _FAMILIES.get(hop.family, socket.AF_UNSPEC), socket.SOCK_STREAM
    ):
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(timeout_s)
            if hop.bind_address:
                sock.bind((hop.bind_address, 0))
            sock.connect(there)
            return sock
        except OSError as error:
            sock.close()
            failure = error
    raise failure or OSError("the name has no address")


def _through(jump: paramiko.Transport, before: Hop, hop: Hop, timeout_s: float) -> paramiko.Channel:
    there = (hop.host, hop.port)
    try:
        return in_order(jump.open_channel("direct-tcpip", there, ("127.0.0.1", 0), timeout=timeout_s))
    except paramiko.ChannelException as error:
        raise behind_jump(error, f"{hop.host}:{hop.port}", before.where) from error


def _greet(sock: socket.socket | paramiko.Channel, hop: Hop, timeout_s: float) -> paramiko.Transport:
    """Version, algorithms, keys. Asks for the type of host key that is known already, as OpenSSH does."""
    transport = _Client(sock, disabled_algorithms=WEAK)
    began = time.monotonic()
    try:
        transport.banner_timeout = transport.handshake_timeout = timeout_s
        options = transport.get_security_options()
        options.ciphers = _first_of(options.ciphers, FIRST_CIPHERS)
        known = read_known_hosts(hop.known_hosts)
        transport.wanted_keys = keys_in_order(
            hop.host_key_algorithms,
            (k.kind for k in keys_for(hop.key_name, known) if not (k.revoked or k.authority)),
            certified=bool(authorities_for(hop, known)),
        )
        transport.start_client(timeout=2 * timeout_s)  # greeting, then keys
        if time.monotonic() - began >= 2 * timeout_s:  # start_client returns as if all were well
            raise EOFError
    except IncompatiblePeer as error:
        transport.close()
        sock.close()
        if "host key" in str(error):
            raise no_such_host_key(hop.shown, transport.wanted_keys) from error
        raise
    except BaseException as error:
        transport.close()
        sock.close()
        if isinstance(error, (paramiko.SSHException, EOFError)) and time.monotonic() - began >= timeout_s:
            said = "greeted" if transport.remote_version else "does not greet like an SSH server"
            raise silent(hop.shown, hop.for_ssh, said, timeout_s) from error
        if hop.proxy_command and isinstance(error, FOREIGN) and not transport.remote_version:
            raise command_failed(hop.proxy_command, hop.shown) from error
        raise
    return transport


def _first_of(offered: Sequence[str], preferred: Sequence[str]) -> tuple[str, ...]:
    head = tuple(dict.fromkeys(name for name in preferred if name in offered))
    return (*head, *(name for name in offered if name not in head))
