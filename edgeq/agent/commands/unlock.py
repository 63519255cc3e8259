"""`unlock`: give the device back."""

from dataclasses import dataclass
from typing import Any

from edgeq.agent import lock
from edgeq.agent.layout import Root
from edgeq.nouns.record import Record


@dataclass(frozen=True)
class Request(Record):
    token: str


def answer(request: Request, root: Root) -> dict[str, Any]:
    lock.release(root, request.token)
    return {}
