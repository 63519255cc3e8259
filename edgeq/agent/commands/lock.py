"""`lock`: takes the device; with a token renews the lease, or issues a new token."""

from dataclasses import dataclass
from typing import Optional

from edgeq.agent import lock, owned
from edgeq.agent.durable import point_link
from edgeq.agent.layout import Root, own_archive
from edgeq.agent.leftovers import remove_all, uploads
from edgeq.agent.os_errors import translated
from edgeq.errors import NoSpace
from edgeq.nouns.answers import Token
from edgeq.nouns.record import Record


@dataclass(frozen=True)
class Request(Record):
    """Either `who` and `what`, or the `token` of a lock that is held and shall be renewed. `pid` is the holder's process,
    where that is one of this device: with its end the device is free. `anew`: by a new token, what was sent with the old one
    and has not begun is not done any more.
    """

    who: str = ""
    what: str = ""
    lease_s: float = lock.LEASE_S
    token: Optional[str] = None
    pid: Optional[int] = None
    anew: bool = False


def answer(request: Request, root: Root) -> Token:
    if request.token is not None and request.anew:
        return Token(lock.take_anew(root, request.token).token)
    if request.token is not None:
        return Token(lock.renew(root, request.token, request.lease_s).token)
    taken = _take(request, root)
    _remember_agent(root)
    return Token(taken.token)


def _take(request: Request, root: Root) -> lock.Lock:
    """Nobody holds a device that can be taken, so what fills its disk may be an upload that was given up: where there
    is not even room for the lock, that goes, and the lock is tried once more.
    """
    who, what = request.who or "unknown", request.what or "unknown"
    try:
        return lock.take(root, who, what, request.lease_s, request.pid)
    except OSError as error:
        if not isinstance(translated(error), NoSpace):
            raise
    with lock.guarded(root):
        if lock.holder(root) is None:
            remove_all(root, owned.temporaries(root) + uploads(root, older_than_s=0))
    return lock.take(root, who, what, request.lease_s, request.pid)


def _remember_agent(root: Root) -> None:
    """agent/current leads to the archive that was used last; the service runs that one."""
    own = own_archive()
    link = root.agents / "current"
    if own is not None and own.parent == root.agents.resolve() and link.resolve() != own:
        point_link(link, own.name)
