"""`sweep`: what cuts, given-up uploads and old releases left behind is removed."""

from dataclasses import dataclass

from edgeq.agent import leftovers, lock, owned
from edgeq.agent.layout import Root
from edgeq.nouns.answers import Removed
from edgeq.nouns.record import Record


@dataclass(frozen=True)
class Request(Record):
    """Uploads touched less than `older_than_s` ago stay, so that they can be resumed."""

    token: str
    older_than_s: float = 0.0


def answer(request: Request, root: Root) -> Removed:
    with lock.held(root, request.token):
        kept = owned.set_others_aside([], leftovers.unused_wheels(root))
        paths = leftovers.uploads(root, request.older_than_s) + leftovers.unused(root)
        paths += leftovers.old_agents(root)
        with lock.guarded(root):  # lock.json and jobs are written beside under it: theirs are not in use now
            done = leftovers.remove_all(root, owned.temporaries(root))
        rest = leftovers.remove_all(root, paths)
    return Removed(done.removed + rest.removed, done.bytes + rest.bytes, leftovers.relative(root, kept))
