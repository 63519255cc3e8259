"""`result`: one stored measurement."""

from dataclasses import dataclass

from edgeq.agent.layout import Root
from edgeq.agent.results import read_result
from edgeq.nouns.measurement import Measurement
from edgeq.nouns.record import Record


@dataclass(frozen=True)
class Request(Record):
    id: str


def answer(request: Request, root: Root) -> Measurement:
    return read_result(root, request.id)
