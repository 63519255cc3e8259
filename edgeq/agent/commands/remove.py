"""`remove`: an app, or everything that edgeq ever put on this device."""

from dataclasses import dataclass
from typing import Any, Optional

from edgeq.agent import lock
from edgeq.agent.apps import require_app
from edgeq.agent.durable import remove_file
from edgeq.agent.layout import Root
from edgeq.agent.leftovers import remove_all, temporaries
from edgeq.errors import RemoteFailed
from edgeq.nouns.record import Record


@dataclass(frozen=True)
class Request(Record):
    token: str
    app: Optional[str] = None
    everything: bool = False


def answer(request: Request, root: Root) -> dict[str, Any]:
    if (request.app is None) != request.everything:
        raise RemoteFailed("`remove` takes an app or everything, not both and not neither")
    if request.app is not None:
        return _remove_app(root, request.token, request.app)
    return _remove_everything(root, request.token)


def _remove_app(root: Root, token: str, app: str) -> dict[str, Any]:
    with lock.held(root, token):
        require_app(root, app)
        if root.current(app).is_symlink():
            remove_file(root.current(app))  # first, so that nobody loads from a release that is going
        return remove_all(root, [root.apps / app])


def _remove_everything(root: Root, token: str) -> dict[str, Any]:
    """Only names that edgeq made: a root that somebody else keeps files in loses none of them."""
    with lock.held(root, token):
        with lock.guarded(root):
            done = remove_all(root, temporaries(root))
        folders = (root.apps, root.wheels, root.samples, root.incoming, root.jobs, root.results, root.agents)
        rest = remove_all(root, [folder for folder in folders if folder.is_dir()])
    # Past the lease's keeper, which would write it once more.
    with lock.guarded(root):
        for path in (root.lock, root.lock_guard):
            path.unlink(missing_ok=True)
    _remove_if_empty(root)
    return {"removed": done["removed"] + rest["removed"], "bytes": done["bytes"] + rest["bytes"]}


def _remove_if_empty(root: Root) -> None:
    """The root itself may be somebody else's to remove, or hold somebody else's files."""
    try:
        root.path.rmdir()
    except OSError:
        return
