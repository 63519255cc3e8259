"""`withdraw`: withdraws a job that has not begun; ends one that runs under the holder's own token."""

from dataclasses import dataclass
from typing import Optional

from edgeq.agent import lock, queue
from edgeq.agent.layout import Root
from edgeq.agent.results import forget
from edgeq.errors import RemoteFailed
from edgeq.nouns.answers import Withdrawn
from edgeq.nouns.record import Record
from edgeq.nouns.safe_names import is_name


@dataclass(frozen=True)
class Request(Record):
    """With a token: end what `work` does for this job under it, and leave nothing of it."""

    id: str
    token: Optional[str] = None


def answer(request: Request, root: Root) -> Withdrawn:
    if not is_name(request.id):
        raise RemoteFailed(f"{request.id!r} cannot be the id of a job")
    if request.token is not None:
        _end(root, request.token, request.id)
    return Withdrawn(queue.take_back(root, request.id))


def _end(root: Root, token: str, id: str) -> None:
    """`work` looks about once a second; killed by the same Ctrl-C it leaves a folder without a result."""
    lock.renew(root, token, give_up=id)
    with lock.held(root, token, turn=root.results):
        forget(root, id)
