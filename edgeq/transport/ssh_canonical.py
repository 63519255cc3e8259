"""CanonicalizeHostname for machines without an OpenSSH client: a short name is looked up in CanonicalDomains."""

import contextlib
import ipaddress
import socket
from collections.abc import Mapping, Sequence

from edgeq.errors import Unreachable

_YES = ("yes", "true", "always")


def is_canonicalized(found: Mapping[str, Sequence[str]]) -> bool:
    return _first(found, "canonicalizehostname", "no") in _YES


def canonical_name(host: str, found: Mapping[str, Sequence[str]]) -> str:
    """`host` with the first domain in which it has an address. CanonicalizePermittedCNAMEs is not followed.

    Raises Unreachable where CanonicalizeFallbackLocal is no and no domain has it.
    """
    if not is_canonicalized(found) or _is_address(host):
        return host
    if _is_proxied(found) and _first(found, "canonicalizehostname", "no") != "always":
        return host
    if host.endswith("."):
        return host.rstrip(".")
    if host.count(".") > int(_first(found, "canonicalizemaxdots", "1")):
        return host
    domains = [d for d in _first(found, "canonicaldomains", "").split() if d.lower() != "none"]
    for domain in domains:
        with contextlib.suppress(OSError, UnicodeError):
            socket.getaddrinfo(f"{host}.{domain.strip('.')}.", None)
            return f"{host}.{domain.strip('.')}"
    if _first(found, "canonicalizefallbacklocal", "yes") in ("no", "false"):
        raise Unreachable(
            f"the name {host} is not known in {' or '.join(domains) or 'any domain'}",
            "check the spelling; CanonicalDomains and CanonicalizeFallbackLocal of the ssh configuration say where it is looked up",
        )
    return host


def _first(found: Mapping[str, Sequence[str]], keyword: str, otherwise: str) -> str:
    return found[keyword][0].lower() if keyword in found else otherwise


def _is_proxied(found: Mapping[str, Sequence[str]]) -> bool:
    return any(_first(found, key, "none") != "none" for key in ("proxyjump", "proxycommand"))


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True
