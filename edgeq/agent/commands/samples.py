"""`samples`: check samples are gathered into one folder, named by what they are."""

from dataclasses import dataclass
from pathlib import Path

from edgeq.agent import lock
from edgeq.agent.available import FILES, places, sample_files
from edgeq.agent.durable import create_file, make_folder, move, remove_tree, sync_tree, temporary_beside
from edgeq.agent.layout import Root
from edgeq.agent.others_files import set_aside, unknown_in
from edgeq.agent.place import holds, place_any_size
from edgeq.errors import ArtifactCorrupt, DataRefused
from edgeq.nouns.answers import Placed
from edgeq.nouns.record import Record, canonical_json, digest_of
from edgeq.nouns.safe_names import is_sha256


@dataclass(frozen=True)
class Request(Record):
    """`files`: the sha256 of input 0's file, input 1's, and so on."""

    token: str
    files: tuple[str, ...]


def answer(request: Request, root: Root) -> Placed:
    """The folder's name is the hash of the list of hashes, which is kept in it as files.json."""
    if not request.files or not all(is_sha256(sha) for sha in request.files):
        raise DataRefused("check samples are named by the sha256 of each input's file, one at least")
    with lock.held(root, request.token):
        folder = root.samples / digest_of(list(request.files))
        if not _whole(folder, request.files):
            _gather(root, folder, request.files)
        for sha in request.files:
            (root.incoming / sha).unlink(missing_ok=True)
    return Placed(folder.relative_to(root.path).as_posix())


def _whole(folder: Path, files: tuple[str, ...]) -> bool:
    return sample_files(folder) == files and all(
        holds(folder / f"{i}.npy", sha) for i, sha in enumerate(files)
    )


def _gather(root: Root, folder: Path, files: tuple[str, ...]) -> None:
    make_folder(folder.parent)
    sources = places(root, files)
    beside = temporary_beside(folder)
    beside.mkdir()
    try:
        for i, sha in enumerate(files):
            if not place_any_size(beside / f"{i}.npy", sources[sha], sha):
                (root.incoming / sha).unlink(missing_ok=True)
                raise ArtifactCorrupt(
                    f"the check samples of input {i} are missing or damaged on this device",
                    "deploy again to resend them",
                    details=[f"sha256 {sha}"],
                )
        create_file(beside / FILES, canonical_json(list(files)), 0o444)
        sync_tree(beside)
        if folder.exists():  # damaged: samples are never live, so there may be none for a moment
            own = {FILES, *(f"{i}.npy" for i in range(len(files)))}
            set_aside(folder, tuple(unknown_in(folder, own)))
            remove_tree(folder)
        move(beside, folder)
    except BaseException:
        if beside.exists():
            remove_tree(beside)
        raise
