"""From what the user typed after --host to a Transport. Imports paramiko only when a device is far away."""

from collections.abc import Callable
from pathlib import Path

from .base import Transport
from .local import LocalTransport


def open_transport(
    host: str | None,
    *,
    port: int | None = None,
    identity: Path | None = None,
    accept_new_host_key: bool = False,
    known_hosts: Path | None = None,
    config: Path | None = None,
    ask_password: Callable[[str], str] | None = None,
    on_note: Callable[[str], None] = lambda note: None,
    timeout_s: float = 15.0,
) -> Transport:
    """A connected Transport; `host` None is this machine.

    `host` is `pi@10.0.0.5`, `pi@host:2222`, `[::1]:2222`, `ssh://...` or an alias of the ssh configuration. `identity`
    and `port` win over that configuration. `ask_password` is called with a prompt for passwords and passphrases;
    without it none are asked for. `on_note` hears what a user may want to know (a key accepted, a reconnection).
    `timeout_s` bounds each step of connecting.

    Raises Unreachable, HostKeyRefused, AuthRefused.
    """
    if host is None:
        return LocalTransport()
    from .ssh import SshTransport
    from .ssh_route import Choices

    choices = Choices(port=port, identity=identity, known_hosts=known_hosts, config=config)
    transport = SshTransport(
        host,
        choices,
        accept_new_host_key=accept_new_host_key,
        ask=ask_password,
        on_note=on_note,
        timeout_s=timeout_s,
    )
    transport.connect()
    return transport
