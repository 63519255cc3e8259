"""Decides, before anything is opened, which hosts are logged into on the way to a device, and how each of them.

The settings come from the installed OpenSSH client (ssh_client.py); where there is none, from its files (ssh_config.py).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from edgeq.errors import AuthRefused, Unreachable

from .host_address import Address, parse_address, why_unsafe
from .ssh_client import Settings, find_client
from .ssh_config import OwnReader
from .ssh_hop import Hop, hop_from
from .ssh_tokens import replace_tokens

_DEEPEST = 16  # jumps that lead to jumps


@dataclass(frozen=True)
class Choices:
    """What the user asked for besides the host; None leaves it to the ssh configuration."""

    port: int | None = None
    identity: Path | None = None
    known_hosts: Path | None = None
    config: Path | None = None


class Source(Protocol):
    """Who says which settings hold for a host. `home` is what ~ stands for in them."""

    @property
    def home(self) -> Path: ...

    def settings(self, address: Address) -> Settings: ...

    def source(self, address: Address) -> str: ...


def route_to(
    host: str, choices: Choices, on_note: Callable[[str], None] = lambda note: None
) -> tuple[Hop, ...]:
    """The hops in the order of logging in; the last one is the device. Raises Unreachable for a wrong configuration,
    AuthRefused where the identity that was asked for is not there: no other key may stand in for it.
    """
    if choices.identity is not None:
        _require_there(choices.identity.expanduser())
    address = parse_address(host)
    if choices.port is not None:
        address = replace(address, port=choices.port)
    source = find_client(choices.config, on_note) or OwnReader(choices.config, Path.home(), on_note)
    return _hops(host, address, choices, source, ())


def _require_there(identity: Path) -> None:
    """The public half is enough: the agent may hold the other."""
    public = identity.with_name(f"{identity.name}.pub")
    if not identity.is_file() and not public.is_file():
        raise AuthRefused(
            f"there is no key at {identity}",
            "correct --identity (identity in edgeq.toml), or leave it out: the agent's keys and those in ~/.ssh are tried",
        )


def _hops(
    shown: str, address: Address, choices: Choices, source: Source, behind: tuple[str, ...]
) -> tuple[Hop, ...]:
    """The first of several jumps may itself have a ProxyJump; for the others the list decides, as with `ssh -J`."""
    here = f"{address.host}:{address.port or ''}".rstrip(":")
    if here in behind or len(behind) > _DEEPEST:
        raise Unreachable(
            f"ProxyJump goes in a circle: {' -> '.join((*reversed(behind), here))}",
            "correct the ProxyJump lines of the ssh configuration",
        )
    settings = source.settings(address)
    hop = _hop(shown, address, choices, source, settings)
    jumps = _jumps(hop, address, settings)
    if not jumps:
        return (hop,)
    others = replace(choices, identity=None, port=None)
    first = _hops(str(jumps[0]), jumps[0], others, source, (here, *behind))
    middle = (
        replace(_hop(str(jump), jump, others, source, source.settings(jump)), proxy_command=None)
        for jump in jumps[1:]
    )
    return (*first, *middle, replace(hop, proxy_command=None))


def _hop(shown: str, address: Address, choices: Choices, source: Source, settings: Settings) -> Hop:
    hop = hop_from(
        settings,
        address,
        shown=shown,
        home=source.home,
        source=source.source(address),
        identity=choices.identity.expanduser() if choices.identity else None,
        known_hosts=choices.known_hosts,
    )
    for keyword, name in (("HostName", hop.host), ("User", hop.user)):
        if why := why_unsafe(name):
            raise Unreachable(
                f"{keyword} {name!r} for {shown} is refused: {why}",
                f"correct {keyword} in the ssh configuration (settings from {hop.source})",
            )
    return hop


def _jumps(hop: Hop, address: Address, settings: Settings) -> list[Address]:
    (written,) = settings.get("proxyjump", ("none",))
    if written.lower() == "none":
        return []
    texts = [text.strip() for text in replace_tokens(written, hop.tokens(address.host)).split(",")]
    try:
        return [parse_address(text) for text in texts]
    except Unreachable as error:
        raise Unreachable(
            f"ProxyJump {written} for {hop.shown} cannot be used: {error.what}",
            f"correct ProxyJump in the ssh configuration (settings from {hop.source})",
        ) from None
