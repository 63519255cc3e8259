"""`unpack`: a wheel from incoming/ becomes a folder that goes on sys.path."""

from dataclasses import dataclass

from edgeq.agent import lock, wheels
from edgeq.agent.durable import make_folder, move, remove_file, remove_tree, sync_tree, temporary_beside
from edgeq.agent.layout import Root
from edgeq.agent.others_files import in_wheel, set_aside
from edgeq.agent.place import holds
from edgeq.agent.space import require_space
from edgeq.errors import ArtifactCorrupt
from edgeq.nouns.answers import Placed
from edgeq.nouns.record import Record
from edgeq.nouns.safe_names import is_name, is_sha256

_COMPILED = 1.6  # size unpacked and compiled over size unpacked; numpy is the worst with 1.5


@dataclass(frozen=True)
class Request(Record):
    """`name` is the folder's, `<name>-<version>-<first 8 of sha256>`."""

    token: str
    sha256: str
    name: str


def answer(request: Request, root: Root) -> Placed:
    _require_named_by_content(request)
    folder = root.wheels / request.name
    with lock.held(root, request.token):
        if not wheels.is_whole(folder):
            _unpack(request, root)
        (root.incoming / request.sha256).unlink(missing_ok=True)
    return Placed(folder.relative_to(root.path).as_posix())


def _require_named_by_content(request: Request) -> None:
    """The name is what `inventory` goes by; it must change when the bytes do."""
    if (
        not is_sha256(request.sha256)
        or not is_name(request.name)
        or not request.name.endswith(request.sha256[:8])
    ):
        raise ArtifactCorrupt(
            f"{request.name!r} is no name for the wheel {request.sha256[:16]!r}",
            "it has to be <name>-<version>-<first 8 of its sha256>",
        )


def _unpack(request: Request, root: Root) -> None:
    source, folder = root.incoming / request.sha256, root.wheels / request.name
    if not holds(source, request.sha256):
        source.unlink(missing_ok=True)
        raise ArtifactCorrupt(
            f"the wheel {request.name} is missing or damaged on this device", "deploy again"
        )
    members = wheels.read_wheel(source)
    make_folder(root.wheels)
    require_space(root.wheels, int(wheels.unpacked_bytes(members) * _COMPILED), f"unpacking {request.name}")
    beside = temporary_beside(folder)
    beside.mkdir()
    try:
        wheels.unpack(source, members, beside)
        wheels.compile_all(beside, folder)
        sync_tree(beside)
        if folder.exists():  # damaged since it was unpacked
            own = [m.destination for m in members if m.destination]
            set_aside(folder, in_wheel(folder, own))
            remove_tree(folder)
        move(beside, folder)
    except BaseException:
        if beside.exists():
            remove_tree(beside)
        raise
    remove_file(source)
