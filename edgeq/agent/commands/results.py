"""`results`: which results are here, in the order they were stored."""

from dataclasses import dataclass
from typing import Optional

from edgeq.agent.layout import Root
from edgeq.agent.results import stored_results
from edgeq.nouns.answers import ResultIds
from edgeq.nouns.record import Record


@dataclass(frozen=True)
class Request(Record):
    """`after`: only those stored after this one; all when it is not here any more."""

    after: Optional[str] = None


def answer(request: Request, root: Root) -> ResultIds:
    ids = stored_results(root)
    start = ids.index(request.after) + 1 if request.after in ids else 0
    return ResultIds(tuple(ids[start:]))
