"""Which external files an ONNX model says that it stores weights in. Read in the limited child."""

from pathlib import Path

from edgeq.errors import EdgeqError, ModelRefused
from edgeq.graphs.onnx_io import external_locations, read_onnx
from edgeq.limited.ask import ask
from edgeq.limited.limits import for_file
from edgeq.limited.reader import Reader

_READER = Reader("edgeq.ingest.graph.external_files:names", ModelRefused, "the model")


def prepare() -> None:
    import onnx  # noqa: F401


def external_files(path: Path) -> list[Path]:
    """None for what is no model: whoever opens it says what is wrong with it."""
    try:
        found, _ = ask(_READER, path, for_file(path.stat().st_size))
    except EdgeqError:
        return []
    return [path.parent / name for name in found]


def names(path: str) -> list[str]:
    """Runs in the child."""
    return [name for name in external_locations(read_onnx(Path(path), weights=False)) if name]
