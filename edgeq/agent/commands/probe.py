"""`probe`: the device's state at this moment."""

from dataclasses import dataclass

from edgeq.agent.layout import Root
from edgeq.nouns.device import Conditions
from edgeq.nouns.record import Record


@dataclass(frozen=True)
class Request(Record):
    pass


def answer(request: Request, root: Root) -> Conditions:
    from edgeq.agent.conditions import read_conditions

    return read_conditions()
