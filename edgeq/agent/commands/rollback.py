"""`rollback`: back to what was live before, or to a release named by the beginning of its digest."""

from dataclasses import dataclass, replace
from typing import Optional

from edgeq.agent import lock
from edgeq.agent.apps import Activation, app_view, history, previous, releases, require_app
from edgeq.agent.layout import Root
from edgeq.agent.made_ready import made_ready, verified
from edgeq.agent.switch import switch
from edgeq.errors import RemoteFailed
from edgeq.nouns.record import Record
from edgeq.nouns.release import App


@dataclass(frozen=True)
class Request(Record):
    """Whoever only asks what it would do needs no token."""

    app: str
    token: str = ""
    to: Optional[str] = None
    dry_run: bool = False


def answer(request: Request, root: Root) -> App:
    """Verified in full before the switch: a damaged release does not go live, and what is live stays."""
    if request.dry_run:
        return _would_be(root, request)
    with lock.held(root, request.token):
        goal = _goal(root, request)
        _, kept = made_ready(root, request.app, goal.digest)
        switch(root, request.app, goal)
        return replace(app_view(root, request.app), kept=kept)


def _would_be(root: Root, request: Request) -> App:
    """What would be live, verified as before a switch."""
    goal = _goal(root, request)
    verified(root, request.app, goal.digest)
    now = app_view(root, request.app)
    return replace(
        now,
        live=goal.digest,
        candidate=goal.candidate,
        since_utc=None,
        previous=now.live,
        not_compared=goal.not_compared,
    )


def _goal(root: Root, request: Request) -> Activation:
    require_app(root, request.app)
    return _before(root, request.app) if request.to is None else _named(root, request.app, request.to)


def _before(root: Root, app: str) -> Activation:
    goal = previous(root, app)
    if goal is None:
        raise RemoteFailed(f"{app} has no earlier release to roll back to", _kept(root, app))
    return goal


def _named(root: Root, app: str, prefix: str) -> Activation:
    """The last activation of the one release whose digest begins with `prefix`."""
    digests = [r.digest for r in releases(root, app) if r.digest.startswith(prefix)]
    if len(digests) != 1:
        problem = "fits more than one release" if digests else "fits no release"
        raise RemoteFailed(f"{prefix!r} {problem} of {app}", _kept(root, app), details=digests)
    for entry in reversed(history(root, app)):
        if entry.digest == digests[0]:
            return entry
    raise RemoteFailed(
        f"release {digests[0][:7]} of {app} was installed but never live",
        "deploy it again: it is checked on the device before it goes live",
    )


def _kept(root: Root, app: str) -> str:
    return f"releases here: {', '.join(r.digest[:12] for r in releases(root, app)) or 'none'}"
