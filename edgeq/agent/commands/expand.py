"""`expand`: a compressed upload becomes the file that it stands for, once its hash is right (docs/wire.md)."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from edgeq.agent import lock
from edgeq.agent.available import places
from edgeq.agent.durable import READ_ONLY, remove_file, write_file
from edgeq.agent.layout import Root
from edgeq.agent.place import holds
from edgeq.agent.probes.free_memory import memory_of
from edgeq.agent.space import require_space
from edgeq.compress.expand import WORKING_BYTES, expand
from edgeq.errors import ArtifactCorrupt, DeviceUnfit, NoSpace
from edgeq.nouns.answers import Nothing
from edgeq.nouns.record import Record
from edgeq.nouns.safe_names import is_name, is_sha256


@dataclass(frozen=True)
class Request(Record):
    """`packed` is in incoming/; `sha256` and `size` are of the file that comes out, `base` of one that is here and was compressed
    against. `python_path`: the folders below wheels/ that have numpy, where it is not the device's own.
    """

    token: str
    packed: str
    sha256: str
    size: int
    base: Optional[str] = None
    python_path: tuple[str, ...] = ()


def answer(request: Request, root: Root) -> Nothing:
    """Done twice it is as done once. What was packed is removed, also where it cannot be expanded."""
    if not all(is_sha256(sha) for sha in (request.packed, request.sha256, request.base or request.sha256)):
        raise ArtifactCorrupt("a file is named by its sha256, in 64 hex digits", "deploy again")
    source, path = root.incoming / request.packed, root.incoming / request.sha256
    with lock.held(root, request.token):
        try:
            if not holds(path, request.sha256):
                _import_numpy(root, request.python_path)
                content = _expanded(request, root, source)
                require_space(root.incoming, request.size, f"expanding {request.sha256[:7]}")
                write_file(path, content, READ_ONLY)
        finally:
            if root.incoming.is_dir():
                remove_file(source)
    return Nothing()


def _import_numpy(root: Root, folders: "tuple[str, ...]") -> None:
    """Raises DeviceUnfit where there is none."""
    os.environ["OPENBLAS_NUM_THREADS"] = (
        "1"  # its threads would take memory, and nothing here multiplies matrices
    )
    names = [Path(folder).name for folder in folders]
    sys.path[:0] = [str(root.wheels / name) for name in names if is_name(name)]
    try:
        import numpy  # noqa: F401
    except Exception as error:  # a numpy for another Python or CPU raises what it likes
        raise DeviceUnfit(
            f"numpy cannot be imported on this device: {error}", "send the file as it is"
        ) from None


def _expanded(request: Request, root: Root, source: Path) -> bytearray:
    if not holds(source, request.packed):
        raise ArtifactCorrupt("a compressed file is missing or damaged on this device", "deploy again")
    base = _base(root, request.base) if request.base else None
    need = request.size + 2 * source.stat().st_size + len(base or b"") + WORKING_BYTES
    available = memory_of(Path("/"))[1]
    if available is not None and available < need:
        raise NoSpace(
            f"expanding a file needs {need / 1e6:.0f} MB of memory, {available / 1e6:.0f} MB are available",
            "send it as it is",
        )
    return expand(source.read_bytes(), request.sha256, request.size, base)


def _base(root: Root, sha256: str) -> bytes:
    for path in places(root, [sha256])[sha256]:
        if holds(path, sha256):
            return path.read_bytes()
    raise ArtifactCorrupt(
        "the file that another was compressed against is not on this device", "deploy again"
    )
