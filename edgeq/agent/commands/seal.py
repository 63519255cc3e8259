"""`seal`: an upload that is complete becomes the file it was meant to be, once its hash is right."""

import os
from dataclasses import dataclass
from pathlib import Path

from edgeq.agent.durable import READ_ONLY, move, remove_file
from edgeq.agent.hashing import is_exactly, sha256_of
from edgeq.agent.layout import Root
from edgeq.errors import ArtifactCorrupt, RemoteFailed
from edgeq.nouns.answers import Nothing
from edgeq.nouns.record import Record


@dataclass(frozen=True)
class Request(Record):
    """`path` is where the file shall lie, absolute or below the root; `<path>.part` is what was uploaded."""

    path: str
    sha256: str
    size: int


def answer(request: Request, root: Root) -> Nothing:
    path = _below(root, request.path)
    part = path.with_name(path.name + ".part")
    if not part.exists() and is_exactly(path, request.sha256, request.size):
        return Nothing()  # sealed before; that answer was lost on its way
    _check(part, request)
    handle = os.open(part, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    part.chmod(READ_ONLY)
    move(part, path)
    return Nothing()


def _below(root: Root, given: str) -> Path:
    """Raises RemoteFailed for a path outside of the root, also by way of a link."""
    path = root.path / given
    parent = path.parent.resolve()
    if path.name in ("", ".", "..") or root.path.resolve() not in (parent, *parent.parents):
        raise RemoteFailed(f"{given} does not lie below {root.path}", "only files below the root are sealed")
    return parent / path.name


def _check(part: Path, request: Request) -> None:
    """A part that is too short is kept, for the upload can go on; any other wrong one is removed."""
    if part.is_symlink() or not part.is_file():
        raise ArtifactCorrupt(f"{part} is not there", "send the file again")
    size = part.stat().st_size
    if size < request.size:
        raise ArtifactCorrupt(f"{part} has {size} of {request.size} bytes", "let the upload go on from there")
    found = sha256_of(part)
    if size != request.size or found != request.sha256:
        remove_file(part)
        raise ArtifactCorrupt(
            f"{part.stem} arrived damaged: sha256 {found[:16]}, {size} bytes; sent were {request.sha256[:16]}, "
            f"{request.size} bytes",
            "send it again; if it happens again, the device's memory or card is failing",
        )
