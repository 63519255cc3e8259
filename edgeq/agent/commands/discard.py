"""`discard`: a release that did not go live is removed again; one that is live, or was before, stays."""

from dataclasses import dataclass

from edgeq.agent import lock, owned
from edgeq.agent.apps import app_view, history, require_app
from edgeq.agent.layout import Root
from edgeq.agent.leftovers import remove_all
from edgeq.agent.others_files import remove_release
from edgeq.nouns.record import Record
from edgeq.nouns.release import App


@dataclass(frozen=True)
class Request(Record):
    token: str
    app: str
    digest: str


def answer(request: Request, root: Root) -> App:
    with lock.held(root, request.token):
        require_app(root, request.app)
        here = {r.digest for r in app_view(root, request.app).releases}
        was_live = {entry.digest for entry in history(root, request.app)}
        if request.digest in here - was_live:
            remove_release(root.release(request.app, request.digest))
        view = app_view(root, request.app)
        if not view.releases and not was_live:
            # a first deploy that failed leaves not even the name
            remove_all(root, owned.parts_of_app(root.apps / request.app))
        return view
