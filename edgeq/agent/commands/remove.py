"""`remove`: an app, or everything that edgeq ever put on this device; with `dry_run`, only what that would be."""

import contextlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Optional

from edgeq.agent import lock, owned
from edgeq.agent.apps import require_app
from edgeq.agent.durable import remove_file
from edgeq.agent.layout import Root
from edgeq.agent.leftovers import relative, remove_all, space_of
from edgeq.errors import RemoteFailed
from edgeq.nouns.answers import Removed
from edgeq.nouns.record import Record


@dataclass(frozen=True)
class Request(Record):
    """A dry run needs no token; without one everything is removed only when nobody holds the device."""

    token: str = ""
    app: Optional[str] = None
    everything: bool = False
    dry_run: bool = False


def answer(request: Request, root: Root) -> Removed:
    if (request.app is None) != request.everything:
        raise RemoteFailed("`remove` takes either an app or everything")
    if request.dry_run:
        return _would_go(root, request.app)
    if request.app is not None:
        return _remove_app(root, request.token, request.app)
    return _remove_everything(root, request.token)


def _would_go(root: Root, app: Optional[str]) -> Removed:
    if app is not None:
        require_app(root, app)
    paths = owned.parts_of_app(root.apps / app) if app is not None else owned.everything(root)
    return Removed(
        relative(root, paths), space_of(paths), relative(root, owned.others_files(*_going(root, app)))
    )


def _going(root: Root, app: Optional[str]) -> tuple[list[Path], list[Path]]:
    """The folders of the apps and of the wheels that go."""
    return ([root.apps / app], []) if app is not None else (owned.apps(root), owned.wheels(root))


def _remove_app(root: Root, token: str, app: str) -> Removed:
    with lock.held(root, token):
        require_app(root, app)
        if root.current(app).is_symlink():
            remove_file(root.current(app))  # first, so that nobody loads from a release that is going
        kept = owned.set_others_aside(*_going(root, app))
        return replace(remove_all(root, owned.parts_of_app(root.apps / app)), kept=relative(root, kept))


def _remove_everything(root: Root, token: str) -> Removed:
    """Only what edgeq made: a root that somebody else keeps files in loses none of them, wherever they are. Without a token the
    device is taken for it, as by the removal of a service, which root does.
    """
    with lock.held(root, token) if token else lock.taken(root, "edgeq uninstall", "removing everything"):
        with lock.guarded(root):
            done = remove_all(root, owned.temporaries(root))
        kept = owned.set_others_aside(*_going(root, None))
        rest = remove_all(root, owned.everything(root))
        for folder in reversed(root.folders):
            _remove_if_empty(folder)
    # Past the lease's keeper, which would write it once more.
    with lock.guarded(root):
        for path in (root.lock, root.lock_guard):
            path.unlink(missing_ok=True)
    _remove_if_empty(root.path)
    return Removed(done.removed + rest.removed, done.bytes + rest.bytes, relative(root, kept))


def _remove_if_empty(folder: Path) -> None:
    """It may be somebody else's to remove, or hold somebody else's files."""
    with contextlib.suppress(OSError):
        folder.rmdir()
