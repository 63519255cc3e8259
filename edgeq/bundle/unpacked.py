"""A bundle's files laid out on the host for sending, each known by its sha256."""

import contextlib
import hashlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edgeq.bundle.layout import check_input
from edgeq.nouns.bundle import Bundle


@dataclass(frozen=True)
class Unpacked:
    """sha256 -> file and size, of the artifacts and the check samples; `samples` are those of the inputs in order."""

    paths: dict[str, Path]
    sizes: dict[str, int]
    samples: tuple[str, ...]


@contextlib.contextmanager
def unpacked(bundle: Bundle) -> Iterator[Unpacked]:
    """The files are removed on leaving."""
    with tempfile.TemporaryDirectory(prefix="edgeq-") as folder:
        base = Path(folder)
        bundle.extract(base)
        paths = {a.sha256: base / a.path for a in bundle.manifest.artifacts}
        sizes = {a.sha256: a.size for a in bundle.manifest.artifacts}
        samples = []
        for i in range(len(bundle.manifest.inputs)):
            content = bundle.beside(check_input(i)) or b""
            sha = hashlib.sha256(content).hexdigest()
            paths[sha], sizes[sha] = base / f"check-{i}.npy", len(content)
            paths[sha].write_bytes(content)
            samples.append(sha)
        yield Unpacked(paths, sizes, tuple(samples))
