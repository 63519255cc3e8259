"""`withdraw`: a job that nobody has begun is taken back."""

from dataclasses import dataclass
from typing import Any

from edgeq.agent import queue
from edgeq.agent.layout import Root
from edgeq.agent.safe_names import is_name
from edgeq.errors import RemoteFailed
from edgeq.nouns.record import Record


@dataclass(frozen=True)
class Request(Record):
    id: str


def answer(request: Request, root: Root) -> dict[str, Any]:
    if not is_name(request.id):
        raise RemoteFailed(f"{request.id!r} cannot be the id of a job")
    return {"withdrawn": queue.take_back(root, request.id)}
