"""`inventory`: which of these file contents and wheels are here already, so that only the rest is sent."""

from dataclasses import dataclass

from edgeq.agent.available import places
from edgeq.agent.layout import Root
from edgeq.agent.place import holds
from edgeq.agent.wheels import is_whole
from edgeq.nouns.answers import Inventory
from edgeq.nouns.record import Record
from edgeq.nouns.safe_names import is_name, is_sha256


@dataclass(frozen=True)
class Request(Record):
    sha256: tuple[str, ...] = ()
    wheels: tuple[str, ...] = ()


def answer(request: Request, root: Root) -> Inventory:
    """Each file is hashed before it counts, and a wheel's files are compared with its RECORD: a damaged one that was called
    present could never be repaired.
    """
    found = places(root, [sha for sha in request.sha256 if is_sha256(sha)])
    return Inventory(
        have=tuple(sha for sha, paths in found.items() if any(holds(path, sha) for path in paths)),
        wheels=tuple(name for name in request.wheels if is_name(name) and is_whole(root.wheels / name)),
    )
