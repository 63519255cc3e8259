"""Opens and cleans an untrusted ONNX file in the limited child; the result is a file that is known to load."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

import numpy as np

from edgeq.errors import ModelRefused
from edgeq.ingest.graph.read import INLINE_LIMIT
from edgeq.ingest.request import Request
from edgeq.ingest.varied import Survey
from edgeq.limited.ask import begin
from edgeq.limited.limits import for_model
from edgeq.limited.reader import Reader
from edgeq.nouns.model import Varied
from edgeq.nouns.record import Record
from edgeq.nouns.tensor import TensorSpec

_READER = Reader(
    "edgeq.ingest.graph.open_file:open_file", ModelRefused, "the model", "copy or export the file again"
)


@dataclass(frozen=True)
class Opened(Record):
    """The clean graph `file` of a source with the digest `sha256`; the rest as `clean` found it (clean.py), and
    `inlined` as `read` did.
    """

    file: str
    sha256: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    notes: tuple[str, ...]
    quantized: Optional[str] = None
    varied: Optional[Varied] = None
    kept_opset: str = ""
    inlined: bool = True


@dataclass(frozen=True)
class SurveyAsked(Record):
    """The inputs of a model that leaves shapes open: whether the samples differ there decides how it is cleaned."""

    left: tuple[TensorSpec, ...]


@dataclass(frozen=True)
class SurveyGiven(Record):
    """What `Survey` says, its examples in files; `varied` is None where the samples do not differ."""

    varied: Optional[Varied] = None
    differ: dict[str, tuple[int, ...]] = field(default_factory=dict)
    examples: tuple[str, ...] = ()


def open_apart(request: Request, out: Path) -> Opened:
    """The clean graph is written to `out`, or left where it is. Raises ModelRefused; DataRefused by the request's survey."""
    with tempfile.TemporaryDirectory(prefix="edgeq-") as name:
        folder = Path(name)
        options: dict[str, object] = {
            "out": str(out.absolute()),
            "shapes": {key: list(shape) for key, shape in request.shapes.items()},
            "example": _stored(request.example, folder / "example.npz"),
        }
        found = _asked(request, options)
        if "left" in found:
            seen = request.survey(SurveyAsked.from_dict(found).left)
            found = _asked(request, {**options, "survey": _given(seen, folder).to_dict()})
    return Opened.from_dict(found)


def _asked(request: Request, options: Mapping[str, object]) -> dict[str, object]:
    path = Path(request.source)
    size = _size(path)
    pending = begin(_READER, path, for_model(size), writes=2 * size, **options)
    # What is needed next anyway, loaded while the child does the same.
    import onnx  # noqa: F401
    import onnxruntime  # noqa: F401

    found: dict[str, object] = pending.result()[0]
    return found


def _size(path: Path) -> int:
    """Of the file and at most of its external data, whose names only the file knows."""
    try:
        whole = path.stat().st_size
        beside = sum(
            f.stat().st_size for f in path.absolute().parent.iterdir() if f.is_file() and f.name != path.name
        )
    except OSError:  # the reader says what is wrong with it
        return 0
    return min(whole + beside, INLINE_LIMIT)


def _given(seen: Survey | None, folder: Path) -> SurveyGiven:
    if seen is None:
        return SurveyGiven()
    files = (_stored(example, folder / f"example{i}.npz") for i, example in enumerate(seen.examples))
    differ = {name: tuple(sorted(axes)) for name, axes in seen.differ.items()}
    return SurveyGiven(seen.varied, differ, tuple(file for file in files if file is not None))


def _stored(arrays: tuple[np.ndarray, ...] | None, file: Path) -> str | None:
    if arrays is None:
        return None
    np.savez(file, *arrays)
    return str(file)
