"""`facts`: what this device is."""

from dataclasses import dataclass

from edgeq.agent.layout import Root
from edgeq.nouns.device import Facts
from edgeq.nouns.record import Record


@dataclass(frozen=True)
class Request(Record):
    pass


def answer(request: Request, root: Root) -> Facts:
    from edgeq.agent.facts import read_facts

    return read_facts(str(root.path))
