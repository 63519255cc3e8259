"""Makes a verified release live: what it needs to be imported, one atomic rename of `current`, then the records of it."""

from dataclasses import replace

from edgeq.agent.apps import Activation, history, live, previous, releases
from edgeq.agent.clock import utc_now
from edgeq.agent.durable import point_link, write_json
from edgeq.agent.importable import make_importable
from edgeq.agent.layout import Root
from edgeq.agent.manifest_rules import RELEASE
from edgeq.agent.others_files import remove_release

_LONGEST_HISTORY = 100


def switch(root: Root, app: str, goal: Activation) -> None:
    """Where it is live already, only the note on its speed changes. The link is the truth and comes first: a power cut between it and the history is
    put right by whoever reads the history.
    """
    make_importable(root, app, goal)
    now = live(root, app)
    past = history(root, app)
    if now is None or not now.same_as(goal):
        point_link(root.current(app), f"releases/{goal.digest}/candidates/{goal.candidate}")
        past = (*past, replace(goal, utc=utc_now()))
    else:
        past = (*past[:-1], replace(past[-1], not_compared=goal.not_compared))
    write_history(root, app, past)
    _record(root, app, past[-1])


def write_history(root: Root, app: str, entries: tuple[Activation, ...]) -> None:
    write_json(root.history(app), [entry.to_dict() for entry in entries[-_LONGEST_HISTORY:]])


def prune(root: Root, app: str, keep: int) -> tuple[str, ...]:
    """Remove releases beyond the `keep` newest; the live one and the one before it always stay. The digests removed."""
    needed = {entry.digest for entry in (live(root, app), previous(root, app)) if entry}
    by_age = [r.digest for r in releases(root, app)]
    room = max(keep - len(needed), 0)
    others = [digest for digest in by_age if digest not in needed]
    for digest in others[room:]:
        remove_release(root.release(app, digest))
    return tuple(others[room:])


def _record(root: Root, app: str, entry: Activation) -> None:
    """Note in the release itself that it went live, and as which candidate."""
    release = next(r for r in releases(root, app) if r.digest == entry.digest)
    changed = replace(release, candidate=entry.candidate, activated_utc=entry.utc)
    write_json(root.release(app, entry.digest) / RELEASE, changed.to_dict())
