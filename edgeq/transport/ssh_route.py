"""Decides, before anything is opened, which hosts are logged into on the way to a device, and how each of them."""

import getpass
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import paramiko

from edgeq.errors import AuthRefused, Unreachable

from .host_address import Address, parse_address
from .known_hosts import name_of
from .ssh_config import read_config

SYSTEM_CONFIG = Path("/etc/ssh/ssh_config")
SYSTEM_KNOWN_HOSTS = (Path("/etc/ssh/ssh_known_hosts"), Path("/etc/ssh/ssh_known_hosts2"))
DEFAULT_IDENTITIES = ("id_ed25519", "id_ecdsa", "id_rsa")


@dataclass(frozen=True)
class Choices:
    """What the user asked for besides the host; None leaves it to the ssh configuration."""

    port: int | None = None
    identity: Path | None = None
    known_hosts: Path | None = None
    config: Path | None = None


@dataclass(frozen=True)
class Hop:
    """One login. `key_name` is the name in known_hosts, whose first file takes new keys; `explicit` says that the
    user named the identity, `agent` is IdentityAgent: SSH_AUTH_SOCK, none or a path. `proxy_command` stands for the TCP connection of the first hop of a route.
    """

    shown: str
    host: str
    port: int
    user: str
    identities: tuple[Path, ...]
    identities_only: bool
    explicit: bool
    agent: str
    known_hosts: tuple[Path, ...]
    key_name: str
    hash_names: bool
    proxy_command: str | None


def route_to(host: str, choices: Choices) -> tuple[Hop, ...]:
    """The hops in the order of logging in; the last one is the device. Raises Unreachable for a wrong configuration,
    AuthRefused where the identity that was asked for is not there: no other key may stand in for it.
    """
    if choices.identity is not None:
        _require_there(choices.identity.expanduser())
    address = parse_address(host)
    if choices.port is not None:
        address = replace(address, port=choices.port)
    config = read_config(
        (choices.config,) if choices.config else (Path.home() / ".ssh/config", SYSTEM_CONFIG)
    )
    return _hops(host, address, choices, config, ())


def _require_there(identity: Path) -> None:
    """The public half is enough: the agent may hold the other."""
    public = identity.with_name(f"{identity.name}.pub")
    if not identity.is_file() and not public.is_file():
        raise AuthRefused(
            f"there is no key at {identity}",
            "correct --identity (identity in edgeq.toml), or leave it out: the agent's keys and those in ~/.ssh are tried",
        )


def _hops(
    shown: str, address: Address, choices: Choices, config: paramiko.SSHConfig, behind: tuple[str, ...]
) -> tuple[Hop, ...]:
    """The first of several jumps may itself have a ProxyJump; for the others the list decides, as with `ssh -J`."""
    here = f"{address.host}:{address.port or ''}".rstrip(":")
    if here in behind:
        raise Unreachable(
            f"ProxyJump goes in a circle: {' -> '.join((*reversed(behind), here))}",
            "correct the ProxyJump lines of the ssh configuration",
        )
    found = _lookup(address.host, config)
    hop = _hop(shown, address, choices, found)
    jumps = _jumps(found)
    if not jumps:
        return (hop,)
    others = replace(choices, identity=None, port=None)
    first = _hops(jumps[0], parse_address(jumps[0]), others, config, (here, *behind))
    middle = (_bare_hop(jump, others, config) for jump in jumps[1:])
    return (*first, *middle, replace(hop, proxy_command=None))


def _bare_hop(shown: str, choices: Choices, config: paramiko.SSHConfig) -> Hop:
    address = parse_address(shown)
    return replace(_hop(shown, address, choices, _lookup(address.host, config)), proxy_command=None)


def _lookup(alias: str, config: paramiko.SSHConfig) -> Mapping[str, Any]:
    try:
        return config.lookup(alias)
    except Exception as error:  # a Match exec is run by a library with errors of its own
        raise Unreachable(
            f"the ssh configuration for {alias} cannot be used: {str(error).strip() or type(error).__name__}",
            "see `man ssh_config`; a Match exec that fails is the likely cause",
        ) from error


def _jumps(found: Mapping[str, Any]) -> list[str]:
    """Of ProxyJump and ProxyCommand the one that was written first counts."""
    first = next((key for key in found if key in ("proxyjump", "proxycommand")), "")
    jumps = str(found[first]) if first == "proxyjump" else "none"
    return [] if jumps.lower() == "none" else [jump.strip() for jump in jumps.split(",")]


def _hop(shown: str, address: Address, choices: Choices, found: Mapping[str, Any]) -> Hop:
    host = str(found.get("hostname") or address.host).lower()
    port = address.port or _number(found.get("port", "22"), "Port", shown)
    user = address.user or str(found.get("user") or getpass.getuser())
    explicit = (choices.identity.expanduser(),) if choices.identity else ()
    configured = tuple(_path(p, host, user) for p in found.get("identityfile", ()) if p.lower() != "none")
    default = tuple(Path.home() / ".ssh" / name for name in DEFAULT_IDENTITIES)
    return Hop(
        shown=shown,
        host=host,
        port=port,
        user=user,
        identities=(*explicit, *(configured or default)),
        identities_only=_yes(found.get("identitiesonly")),
        explicit=bool(explicit),
        agent=str(found.get("identityagent") or "SSH_AUTH_SOCK"),
        known_hosts=_known_hosts(choices, found, host, user),
        key_name=str(found.get("hostkeyalias") or name_of(host, port)).lower(),
        hash_names=_yes(found.get("hashknownhosts")),
        proxy_command=_proxy_command(found, host, port, user),
    )


def _known_hosts(choices: Choices, found: Mapping[str, Any], host: str, user: str) -> tuple[Path, ...]:
    """The user's files, then the system's; the first takes new keys."""
    if choices.known_hosts is not None:
        return (choices.known_hosts, *SYSTEM_KNOWN_HOSTS)
    written = str(found.get("userknownhostsfile") or "~/.ssh/known_hosts ~/.ssh/known_hosts2").split()
    system = str(found.get("globalknownhostsfile") or "").split()
    own = tuple(_path(p, host, user) for p in written if p.lower() != "none")
    return (*(own or (Path("/dev/null"),)), *((Path(p) for p in system) if system else SYSTEM_KNOWN_HOSTS))


def _proxy_command(found: Mapping[str, Any], host: str, port: int, user: str) -> str | None:
    command = found.get("proxycommand")
    if not command:
        return None
    tokens = {"%h": host, "%p": str(port), "%r": user, "%%": "%"}
    for token, value in tokens.items():
        command = command.replace(token, value)
    return str(command)


def _path(text: str, host: str, user: str) -> Path:
    """~ and the tokens that OpenSSH expands in file names."""
    tokens = {"%d": str(Path.home()), "%h": host, "%r": user, "%u": getpass.getuser(), "%%": "%"}
    for token, value in tokens.items():
        text = text.replace(token, value)
    return Path(text.strip('"')).expanduser()


def _number(text: Any, key: str, shown: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise Unreachable(
            f"{key} {text!r} for {shown} is not a number", "correct the ssh configuration"
        ) from None


def _yes(value: Any) -> bool:
    return str(value).lower() == "yes"
