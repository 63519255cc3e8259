"""Which types of host key a server is asked for, in which order: HostKeyAlgorithms, then what is known of the host.

Names as in the SSH protocol. Those that are known to be weak (ssh-rsa, ssh-dss) are none of ours, whatever is configured.
"""

from collections.abc import Collection, Iterable

from .known_hosts import glob_matches

CERTIFIED = "-cert-v01@openssh.com"
PLAIN = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-512",
    "rsa-sha2-256",
)
ALL = (*(f"{name}{CERTIFIED}" for name in PLAIN), *PLAIN)
_SIGNATURES = {"ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256")}


def named_by(written: str | None, ours: tuple[str, ...] = ALL) -> tuple[str, ...]:
    """What HostKeyAlgorithms names of `ours`: a list of names with * and ?, or with +, - or ^ before it a change of the
    default. None is the default.
    """
    if written is None:
        return ours
    change = written[0] if written[:1] in ("+", "-", "^") else ""
    patterns = [part.strip() for part in written.removeprefix(change).split(",")]
    named = tuple(dict.fromkeys(n for p in patterns for n in ours if glob_matches(n, p)))
    if change == "-":
        return tuple(name for name in ours if name not in named)
    if change == "+":
        return ours
    return named if not change else (*named, *(name for name in ours if name not in named))


def in_order(allowed: Iterable[str], kinds: Iterable[str], *, certified: bool) -> tuple[str, ...]:
    """`allowed` with what can be checked first: certificates where an authority is known for the host (`certified`), and
    the types of the keys that are known. A certificate comes last where none is, for it holds a plain key as well.
    """
    known: Collection[str] = {name for kind in kinds for name in _SIGNATURES.get(kind, (kind,))}

    def rank(name: str) -> int:
        if name.endswith(CERTIFIED):
            return 0 if certified else 3
        return 1 if name in known else 2

    return tuple(sorted(allowed, key=rank))
