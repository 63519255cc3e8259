"""`deactivate`: nothing is live under this name any more; what a first deploy that failed leaves behind is undone."""

from dataclasses import dataclass

from edgeq.agent import lock
from edgeq.agent.apps import app_view, history, live, require_app
from edgeq.agent.durable import remove_file
from edgeq.agent.layout import Root
from edgeq.agent.switch import write_history
from edgeq.nouns.record import Record
from edgeq.nouns.release import App


@dataclass(frozen=True)
class Request(Record):
    token: str
    app: str


def answer(request: Request, root: Root) -> App:
    with lock.held(root, request.token):
        require_app(root, request.app)
        if live(root, request.app) is not None:
            before = history(root, request.app)[:-1]  # what is taken back is nothing to roll back to
            remove_file(root.current(request.app))
            write_history(root, request.app, before)
        return app_view(root, request.app)
