"""The signed content of a bundle, which is deterministic: all candidates for one target, named by content (docs/bundle.md)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Optional, Protocol

from .record import Record, digest_of
from .tensor import Preprocessing, TensorSpec

SCHEMA = 1
# Next to a model that went live: a list of folders, relative to its own, that go on sys.path for its runtime.
PYTHON_PATH = "python_path.json"


@dataclass(frozen=True)
class Artifact(Record):
    """One file of the signed content; `path` is relative, forward slashes, no dots."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Candidate(Record):
    """One way to run the model. `model` is the path of the artifact that the runtime loads; the artifacts below
    `candidates/<id>/` belong to it. `inputs` and `outputs` are this file's own names, in the manifest's order, and
    `input_types` their element types where those are not the manifest's (a converter may narrow int64 to int32).
    """

    id: str
    runtime: str
    recipe: str
    model: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    min_runtime: Optional[str] = None  # the oldest runtime version that reads it
    scheme: Optional[str] = None
    memory_bytes: Optional[int] = None  # predicted peak above the loaded runtime
    input_types: tuple[str, ...] = ()

    @property
    def way(self) -> str:
        """The id without its runtime: the recipe, and what tells several candidates of one recipe apart."""
        return self.id[len(self.runtime) + 1 :] if self.id.startswith(f"{self.runtime}-") else self.recipe


@dataclass(frozen=True)
class Manifest(Record):
    """What a bundle is. Its digest is the identity of a release: sha256 of the canonical JSON of this object.

    `source_sha256` is that of the model as it was given, `data_sha256` that of the calibration samples. The
    candidates stand in the plan's order. Tool versions, fidelity, check samples and signatures are not part of it.
    """

    schema: int
    name: str
    target: str
    source_sha256: str
    data_sha256: Optional[str]
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    preprocessing: Optional[Preprocessing]
    candidates: tuple[Candidate, ...]
    artifacts: tuple[Artifact, ...]

    @property
    def digest(self) -> str:
        return digest_of(self.to_dict())

    def candidate(self, id: str) -> Candidate:
        for c in self.candidates:
            if c.id == id:
                return c
        raise KeyError(id)


class Bundle(Protocol):
    """A bundle file that was opened and verified in full (edgeq/bundle/read.py)."""

    path: Path
    manifest: Manifest
    digest: str

    def artifact(self, path: str) -> bytes:
        """The bytes of one artifact. Raises KeyError for a path that the manifest does not have."""

    def extract(self, to: Path) -> None:
        """Write manifest.json and every artifact below `to`."""

    def beside(self, name: str) -> Optional[bytes]:
        """The bytes of beside/`name`, None where there is none."""

    def close(self) -> None:
        """Nothing can be read afterwards."""
