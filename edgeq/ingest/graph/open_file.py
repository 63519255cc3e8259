"""Opens, checks and cleans an ONNX file; runs in the limited child. opened.py asks for it."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgeq.ingest.graph.bounded import refuse_unbounded
from edgeq.ingest.graph.clean import Cleaned, clean
from edgeq.ingest.graph.opened import Opened, SurveyAsked, SurveyGiven
from edgeq.ingest.graph.operators import refuse_unknown_operators
from edgeq.ingest.graph.read import digest, read
from edgeq.ingest.graph.write import write
from edgeq.ingest.varied import Survey

if TYPE_CHECKING:
    from edgeq.nouns.tensor import TensorSpec

Arrays = tuple[np.ndarray, ...]


class _ToBeAsked(Exception):
    def __init__(self, left: "tuple[TensorSpec, ...]") -> None:
        super().__init__()
        self.left = left


def prepare() -> None:
    import onnxruntime  # noqa: F401


def open_file(
    path: str,
    out: str,
    shapes: dict[str, list[int]],
    example: str | None,
    survey: dict[str, object] | None = None,
) -> dict[str, object]:
    """Opened, as a dict; or SurveyAsked, where `survey` is missing and needed. Raises ModelRefused."""
    source = Path(path)
    loaded = read(source)
    refuse_unbounded(loaded.proto, source.name)
    refuse_unknown_operators(loaded.proto, source.name)
    given = None if survey is None else _survey(SurveyGiven.from_dict(survey))

    def asked(left: "tuple[TensorSpec, ...]") -> Survey | None:
        if survey is None:
            raise _ToBeAsked(left)
        return given

    try:
        cleaned = clean(loaded, {name: tuple(s) for name, s in shapes.items()}, _arrays(example), asked)
    except _ToBeAsked as ask:
        return SurveyAsked(ask.left).to_dict()
    return _opened(cleaned, write(cleaned, Path(out)), digest(loaded)).to_dict()


def _opened(cleaned: Cleaned, file: Path, sha256: str) -> Opened:
    return Opened(
        str(file),
        sha256,
        cleaned.inputs,
        cleaned.outputs,
        cleaned.notes,
        cleaned.quantized,
        cleaned.varied,
        cleaned.kept_opset,
        cleaned.loaded.inlined,
    )


def _survey(given: SurveyGiven) -> Survey | None:
    if given.varied is None:
        return None
    examples = tuple(arrays for file in given.examples if (arrays := _arrays(file)) is not None)
    differ = {name: frozenset(axes) for name, axes in given.differ.items()}
    return Survey(given.varied, differ, examples)


def _arrays(file: str | None) -> Arrays | None:
    if file is None:
        return None
    with np.load(file, allow_pickle=False) as found:
        return tuple(found[f"arr_{i}"] for i in range(len(found.files)))
