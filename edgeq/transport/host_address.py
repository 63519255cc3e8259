"""What a user types for a host, taken apart: [user@]host[:port], with brackets around IPv6 where a port follows."""

import re
from dataclasses import dataclass

from edgeq.errors import Unreachable

_BRACKETED = re.compile(r"\[(?P<host>[^\]]+)\](?::(?P<port>\d+))?")
_PLAIN = re.compile(r"(?P<host>[^:\s/]+)(?::(?P<port>\d+))?")
_BARE_IPV6 = re.compile(r"(?P<host>[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.%\w]*)(?P<port>)?")
# What OpenSSH refuses, too, since 9.6 (CVE-2023-51385): a ProxyCommand with %h or %r hands these names to a shell.
_FOR_A_SHELL = re.compile(r"""[\s\x00-\x1f\x7f'"`$;&<>|(){}]""")


@dataclass(frozen=True)
class Address:
    """What was not typed is None: the ssh configuration decides."""

    host: str
    user: str | None = None
    port: int | None = None

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host and self.port else self.host
        return f"{f'{self.user}@' if self.user else ''}{host}{f':{self.port}' if self.port else ''}"

    def for_ssh(self) -> list[str]:
        """The words that one gives to `ssh`, and to ssh-copy-id."""
        port = ["-p", str(self.port)] if self.port else []
        return [*port, f"{self.user}@{self.host}" if self.user else self.host]


def parse_address(text: str) -> Address:
    """Raises Unreachable with the forms that are understood, and for names that a shell or a program could misread."""
    typed = text.strip()
    strange = _FOR_A_SHELL.search(typed)
    if strange:
        raise Unreachable(
            f"{text!r} is not a host: {strange[0]!r} stands in no host or user name, and a shell may read it as a command",
            "write pi@10.0.0.5, pi@host:2222, [::1]:2222 or an alias of ~/.ssh/config",
        )
    bare = typed.removeprefix("ssh://").rstrip("/")
    user, at, rest = bare.rpartition("@")
    match = _BRACKETED.fullmatch(rest) or _PLAIN.fullmatch(rest) or _BARE_IPV6.fullmatch(rest)
    port = int(match["port"]) if match and match["port"] else None
    if (
        not match
        or why_unsafe(match["host"])
        or why_unsafe(user)
        or (at and not user)
        or (port is not None and not 0 < port < 65536)
    ):
        raise Unreachable(
            f"{text!r} is not a host",
            "write pi@10.0.0.5, pi@host:2222, [::1]:2222 or an alias of ~/.ssh/config",
        )
    return Address(match["host"], user or None, port)


def why_unsafe(name: str) -> str | None:
    """Why a host or user name, typed or configured, must not be handed to another program; None where it may."""
    if name.startswith("-"):
        return "it begins with a dash, and a program may read it as an option"
    strange = _FOR_A_SHELL.search(name)
    return f"a shell may read {strange[0]!r} as part of a command" if strange else None
