"""One login: what the settings of an ssh configuration mean for edgeq. Reads no file and asks nobody."""

import os
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgeq.errors import Unreachable

from .host_address import Address
from .host_key_algorithms import ALL, PLAIN, named_by
from .known_hosts import name_of
from .ssh_client import Settings
from .ssh_tokens import Names, file_at, local_user, replace_tokens

SYSTEM_KNOWN_HOSTS = (Path("/etc/ssh/ssh_known_hosts"), Path("/etc/ssh/ssh_known_hosts2"))
_USER_KNOWN_HOSTS = "~/.ssh/known_hosts ~/.ssh/known_hosts2"
_IDENTITIES = ("id_ed25519", "id_ed25519_sk", "id_ecdsa", "id_ecdsa_sk", "id_rsa")
_DEFAULTS = (*_IDENTITIES, "id_dsa", "id_xmss")  # what any OpenSSH tries by itself
_METHODS = ("publickey", "keyboard-interactive", "password")  # that edgeq has, in OpenSSH's order
_SWITCHES = {
    "publickey": "pubkeyauthentication",
    "keyboard-interactive": "kbdinteractiveauthentication",
    "password": "passwordauthentication",
}
# Settings that edgeq cannot follow, with the values that ask for nothing.
_UNUSED = {
    "PKCS11Provider": ("none",),
    "KnownHostsCommand": ("none",),
    "HostbasedAuthentication": ("no", "false"),
    "BindInterface": ("none",),
}
_UNIT_S = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


@dataclass(frozen=True)
class Hop:
    """One login on a route.

    `shown` is how people call the host, `for_ssh` what one gives to `ssh` to get there, `source` where its settings come from. `key_name` is the name in known_hosts,
    whose first file takes new keys, `principal` the one in a host certificate; `revoked_keys` is a file of keys that no host may
    have. `host_key_algorithms` and `ca_algorithms` may be asked for, and may have signed such a certificate. `explicit`: the first of `identities` is the one that the user named. `agent` is
    "SSH_AUTH_SOCK", "none" or a path. `proxy_command` stands for the TCP connection of the first hop of a route;
    `passes_socket`: it hands over a connected socket (ProxyUseFdpass) in place of carrying the bytes.
    `methods` are those that may be tried, in order; `batch`: nobody is asked for anything. `timeout_s` is
    ConnectTimeout, `family` "any", "inet" or "inet6". `unused`: settings that edgeq cannot follow.
    """

    shown: str
    for_ssh: str
    host: str
    port: int
    user: str
    identities: tuple[Path, ...]
    certificates: tuple[Path, ...]
    identities_only: bool
    explicit: bool
    agent: str
    known_hosts: tuple[Path, ...]
    key_name: str
    principal: str
    host_key_algorithms: tuple[str, ...]
    ca_algorithms: tuple[str, ...]
    hash_names: bool
    revoked_keys: Path | None
    proxy_command: str | None
    passes_socket: bool
    methods: tuple[str, ...]
    batch: bool
    timeout_s: float | None
    family: str
    bind_address: str | None
    unused: tuple[str, ...]
    source: str

    @property
    def where(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.user}@{host}:{self.port}"

    def is_default(self, identity: Path) -> bool:
        """A key file that is tried without anybody having named it."""
        return identity.parent.name == ".ssh" and identity.name in _DEFAULTS

    def tokens(self, typed: str) -> dict[str, str]:
        """What %-tokens in ProxyCommand and ProxyJump stand for; `typed` is the host as it was typed."""
        return {"%": "%", "h": self.host, "n": typed, "p": str(self.port), "r": self.user}


def in_words(hops: Sequence[Hop]) -> str:
    """The whole route in one line, with where the settings of the device come from."""
    return f"{' -> '.join(hop.where for hop in hops)}, from {hops[-1].source}"


def hop_from(
    settings: Settings,
    address: Address,
    *,
    shown: str,
    home: Path,
    source: str,
    identity: Path | None,
    known_hosts: Path | None,
) -> Hop:
    """What was typed in `address`, `identity` and `known_hosts` wins over `settings`. Raises Unreachable for values that
    mean nothing.
    """
    host = _first(settings, "hostname", address.host)
    host = host if ":" in host else host.lower()
    port = address.port or _number(_first(settings, "port", "22"), "Port", shown)
    user = address.user or _first(settings, "user", local_user())
    alias = _first(settings, "hostkeyalias", "").lower()
    names = Names(address.host, host, port, user, alias or address.host, home)
    written = settings.get("identityfile", tuple(f"~/.ssh/{name}" for name in _IDENTITIES))
    proxy_command = _first(settings, "proxycommand", "none")
    return Hop(
        shown=shown,
        for_ssh=shlex.join(address.for_ssh()),
        host=host,
        port=port,
        user=user,
        identities=(*((identity,) if identity else ()), *_files(written, names)),
        certificates=_files(settings.get("certificatefile", ()), names),
        identities_only=_yes(settings, "identitiesonly"),
        explicit=identity is not None,
        agent=_agent(_first(settings, "identityagent", "SSH_AUTH_SOCK"), names),
        known_hosts=_known_hosts(settings, names, known_hosts),
        key_name=alias or name_of(host, port),
        principal=alias or host,
        host_key_algorithms=_host_key_algorithms(settings, shown),
        ca_algorithms=named_by(_optional(settings, "casignaturealgorithms"), PLAIN),
        hash_names=_yes(settings, "hashknownhosts"),
        revoked_keys=next(iter(_files(settings.get("revokedhostkeys", ()), names)), None),
        proxy_command=None
        if proxy_command.lower() == "none"
        else replace_tokens(proxy_command, names.in_commands()),
        passes_socket=_yes(settings, "proxyusefdpass"),
        methods=_methods(settings),
        batch=_yes(settings, "batchmode"),
        timeout_s=_seconds(_first(settings, "connecttimeout", "none"), shown),
        family=_first(settings, "addressfamily", "any").lower(),
        bind_address=_optional(settings, "bindaddress"),
        unused=tuple(_unused(settings)),
        source=source,
    )


def _first(settings: Settings, keyword: str, otherwise: str) -> str:
    return settings[keyword][0] if keyword in settings else otherwise


def _optional(settings: Settings, keyword: str) -> str | None:
    return settings[keyword][0] if keyword in settings else None


def _host_key_algorithms(settings: Settings, shown: str) -> tuple[str, ...]:
    written = _optional(settings, "hostkeyalgorithms")
    named = named_by(written)
    if not named:
        raise Unreachable(
            f"HostKeyAlgorithms for {shown} names none that edgeq can use: {written}",
            f"name one of {', '.join(ALL)} in the ssh configuration",
        )
    return named


def _yes(settings: Settings, keyword: str, otherwise: str = "no") -> bool:
    return _first(settings, keyword, otherwise).lower() in ("yes", "true")


def _files(written: Sequence[str], names: Names) -> tuple[Path, ...]:
    return tuple(dict.fromkeys(file_at(text, names) for text in written if text.lower() != "none"))


def _agent(setting: str, names: Names) -> str:
    """$NAME is that variable's value, as OpenSSH still understands it beside ${NAME}."""
    if setting in ("SSH_AUTH_SOCK", "$SSH_AUTH_SOCK") or setting.lower() == "none":
        return setting.removeprefix("$")
    if setting.startswith("$") and not setting.startswith("${"):
        return os.environ.get(setting[1:]) or "none"
    return str(file_at(setting, names))


def _known_hosts(settings: Settings, names: Names, chosen: Path | None) -> tuple[Path, ...]:
    """The user's files, then the system's; the first takes new keys."""
    system = _files(_listed(_first(settings, "globalknownhostsfile", "")), names) or SYSTEM_KNOWN_HOSTS
    if _first(settings, "globalknownhostsfile", "").lower() == "none":
        system = ()
    if chosen is not None:
        return (chosen, *system)
    own = _files(_listed(_first(settings, "userknownhostsfile", _USER_KNOWN_HOSTS)), names)
    return (*(own or (Path(os.devnull),)), *system)


def _listed(text: str) -> list[str]:
    """ssh -G prints file names without quotation marks: what begins like a path begins a name, other words go on with it."""
    names: list[str] = []
    for word in text.split(" "):
        if names and word and not word.startswith(("/", "~", "%", "$")) and word.lower() != "none":
            names[-1] += f" {word}"
        elif word:
            names.append(word)
    return names


def _methods(settings: Settings) -> tuple[str, ...]:
    """PreferredAuthentications gives the order; what is switched off, or would ask somebody in BatchMode, is left out."""
    preferred = _first(settings, "preferredauthentications", ",".join(_METHODS)).split(",")
    batch = _yes(settings, "batchmode")
    return tuple(
        name
        for name in (word.strip() for word in preferred)
        if name in _METHODS and _is_on(settings, name) and not (batch and name != "publickey")
    )


def _is_on(settings: Settings, method: str) -> bool:
    """PubkeyAuthentication may also be unbound or host-bound."""
    return _first(settings, _SWITCHES[method], "yes").lower() not in ("no", "false")


def _unused(settings: Settings) -> list[str]:
    written = ((name, _first(settings, name.lower(), idle[0])) for name, idle in _UNUSED.items())
    return [
        f"{name} {value} of the ssh configuration, which edgeq cannot follow"
        for name, value in written
        if value.lower() not in _UNUSED[name]
    ]


def _number(text: str, keyword: str, shown: str) -> int:
    if not text.isdecimal() or len(text) > 5 or not 0 < int(text) < 65536:
        raise Unreachable(
            f"{keyword} {text!r} for {shown} is not a number from 1 to 65535", "correct the ssh configuration"
        )
    return int(text)


def _seconds(text: str, shown: str) -> float | None:
    """Seconds, or OpenSSH's 1h30m."""
    if text.lower() == "none":
        return None
    parts = re.findall(r"([0-9]{1,6})([smhdw]?)", text.lower())
    if not parts or "".join(number + unit for number, unit in parts) != text.lower():
        raise Unreachable(f"ConnectTimeout {text!r} for {shown} is not a time", "write seconds, or 1m30s")
    return float(sum(int(number) * _UNIT_S[unit] for number, unit in parts)) or None
