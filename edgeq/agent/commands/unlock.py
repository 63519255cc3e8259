"""`unlock`: give the device back."""

from dataclasses import dataclass

from edgeq.agent import lock
from edgeq.agent.layout import Root
from edgeq.nouns.answers import Nothing
from edgeq.nouns.record import Record


@dataclass(frozen=True)
class Request(Record):
    token: str


def answer(request: Request, root: Root) -> Nothing:
    lock.release(root, request.token)
    return Nothing()
