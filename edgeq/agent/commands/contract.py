"""`contract`: what an application has to know of what is live under a name, and where it lies."""

from dataclasses import dataclass

from edgeq.agent.apps import live, require_app
from edgeq.agent.layout import Root
from edgeq.agent.stored import Unreadable, read_json
from edgeq.errors import RemoteFailed
from edgeq.nouns.answers import LiveContract
from edgeq.nouns.record import Record
from edgeq.nouns.safe_names import is_name


@dataclass(frozen=True)
class Request(Record):
    app: str


def answer(request: Request, root: Root) -> LiveContract:
    """Raises RemoteFailed where nothing is live, and where its contract cannot be read."""
    require_app(root, request.app)
    now = live(root, request.app)
    if now is None:
        raise RemoteFailed(f"nothing is live under the name {request.app}", "deploy it")
    folder = root.release(request.app, now.digest) / "candidates" / now.candidate
    try:
        contract = read_json(folder / "contract.json")
        files = sorted(p.name for p in folder.iterdir() if is_name(p.name))
    except (FileNotFoundError, Unreadable) as error:
        raise RemoteFailed(f"the release of {request.app} is damaged: {error}", "deploy it again") from None
    if not isinstance(contract, dict):
        raise RemoteFailed(
            f"the release of {request.app} is damaged: its contract is none", "deploy it again"
        )
    return LiveContract(str(root.current(request.app)), contract, tuple(files))
