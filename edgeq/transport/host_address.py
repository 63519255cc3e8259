"""What a user types for a host, taken apart: [user@]host[:port], with brackets around IPv6 where a port follows."""

import re
from dataclasses import dataclass

from edgeq.errors import Unreachable

_BRACKETED = re.compile(r"\[(?P<host>[^\]]+)\](?::(?P<port>\d+))?")
_PLAIN = re.compile(r"(?P<host>[^:\s/]+)(?::(?P<port>\d+))?")
_BARE_IPV6 = re.compile(r"(?P<host>[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.%\w]*)(?P<port>)?")


@dataclass(frozen=True)
class Address:
    """What was not typed is None: the ssh configuration decides."""

    host: str
    user: str | None = None
    port: int | None = None


def parse_address(text: str) -> Address:
    """Raises Unreachable with the forms that are understood."""
    typed = text.strip()
    bare = typed.removeprefix("ssh://").rstrip("/")
    user, at, rest = bare.rpartition("@")
    match = _BRACKETED.fullmatch(rest) or _PLAIN.fullmatch(rest) or _BARE_IPV6.fullmatch(rest)
    port = int(match["port"]) if match and match["port"] else None
    # A leading dash would be an option to any program that is handed the name.
    if (
        not match
        or match["host"].startswith("-")
        or (at and not user)
        or (port is not None and not 0 < port < 65536)
    ):
        raise Unreachable(
            f"{text!r} is not a host",
            "write pi@10.0.0.5, pi@host:2222, [::1]:2222 or an alias of ~/.ssh/config",
        )
    return Address(match["host"], user or None, port)
